package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// builtIn returns the defaults that depend on no other value. [derive] sets the others.
func builtIn() Service {
	return Service{
		Pattern: Patterns()[0],
		HTTP:    HTTP{Port: 8080},
		Admin:   Admin{Addr: "127.0.0.1:9464"}, // OpenTelemetry's port for Prometheus exporters
		Telemetry: Telemetry{
			Selector:         map[string]string{},
			EnvironmentLabel: semconv.LabelEnvironment,
			GroupBy:          []string{},
			ScrapeInterval:   slo.DefaultScrapeInterval,
			TraceRatio:       0.01,
			Histograms:       "classic",
			Metrics:          slo.MetricsScrape,
		},
		Links: slo.Links{Branch: "main"},
		Alerting: slo.Alerting{
			Labels:      map[string]string{},
			Annotations: map[string]string{},
			Severities:  slo.Severities{Page: "critical", Ticket: "warning"},
		},
		Compatibility: []string{},
		Files:         []string{},
		Deploy:        deployment(),
		SLOs:          objectives(),
	}
}

// deployment has three replicas, which survive the loss of a zone and stop without losing a
// request. They scale on the only metric that every cluster serves. The sleep is the time until
// every load balancer has removed an endpoint.
func deployment() Deploy {
	return Deploy{
		Platforms: []string{PlatformKubernetes},
		Pipelines: []string{PipelineGitHub},
		Terraform: []string{},
		Replicas:  Replicas{Min: 3, Max: 10},
		Resources: Resources{CPU: "250m", Memory: "256Mi"},
		Grace: Grace{
			PreStop: 10 * time.Second, Drain: 20 * time.Second, Stop: 5 * time.Second,
			Flush: 5 * time.Second, Margin: 5 * time.Second,
		},
		Autoscale:  Autoscale{Source: SourceCPU, CPU: 70, InFlight: 20},
		Monitoring: Monitoring{Namespace: "monitoring", Labels: map[string]string{}},
	}
}

// objectives suit most request-serving services from the first day: 43 minutes of failed
// requests a month, and one slow response in a hundred.
func objectives() []slo.Objective {
	return []slo.Objective{
		{Name: "availability", Target: "99.9", Window: slo.DefaultWindow, Indicator: slo.Indicator{Availability: &slo.Availability{}}},
		{Name: "latency", Target: "99", Window: slo.DefaultWindow, Indicator: slo.Indicator{
			Latency: &slo.Latency{Threshold: 200 * time.Millisecond},
		}},
	}
}

func defaultDescription(service string) string { return "The " + service + " service." }

// derive sets the values that depend on the service's name and on other values.
func derive(s *Service) {
	if s.Description == "" && s.Name != "" {
		s.Description = defaultDescription(s.Name)
	}
	if s.Resource == "" {
		s.Resource = resourceOf(s.Name)
	}
	if s.Plural == "" {
		s.Plural = plural(s.Resource)
	}
	if len(s.Telemetry.Selector) == 0 && s.Name != "" {
		s.Telemetry.Selector = map[string]string{semconv.LabelJob: s.Name}
	}
	if s.Deploy.Image == "" {
		s.Deploy.Image = s.Name
	}
	if s.Deploy.Grace.Period == 0 {
		s.Deploy.Grace.Period = s.Deploy.Grace.Parts()
	}
	for i := range s.SLOs {
		s.SLOs[i] = s.SLOs[i].WithDefaults()
	}
}

// Defaults is a layer of values between the built-in ones and the spec, with which an
// organization changes defaults for all of its services. The zero value changes nothing.
type Defaults struct {
	name string
	src  []byte
}

// ParseDefaults parses a file of defaults: a spec with only the keys that several services can
// share. Problems and origins contain the name.
func ParseDefaults(name string, src []byte) (Defaults, error) {
	d := Defaults{name: name, src: src}
	s := builtIn()
	doc, err := d.decode(&s)
	if err != nil {
		return Defaults{}, err
	}
	for _, key := range ownKeys() {
		if doc.Has(key) {
			doc.Problemf(key, "defaults cannot set this key; set it in the %s of each service", FileName)
		}
	}
	v := validator{doc: doc, s: s}
	v.apiVersion()
	v.shared()
	if err := doc.Err(); err != nil {
		return Defaults{}, err
	}
	return d, nil
}

// ownKeys are the keys that describe a single service.
func ownKeys() []string {
	return []string{"service", "description", "module", "moduleDirectory", "pattern", "resource", "plural", "components", "deploy.directory"}
}

// Source returns the parsed file, to store a copy with the spec.
func (d Defaults) Source() []byte { return d.src }

// IsZero reports whether the layer is empty.
func (d Defaults) IsZero() bool { return d.src == nil }

// decode sets the values of the layer in s.
func (d Defaults) decode(s *Service) (*yamldoc.Document, error) {
	doc, err := yamldoc.Parse(d.name, d.src, mark)
	if err != nil {
		return nil, err
	}
	doc.Decode(s)
	return doc, nil
}

// Parse parses a spec over these defaults. Problems contain the name. The error is a
// diagnostic.List with every problem of the file.
func (d Defaults) Parse(name string, src []byte) (Service, error) {
	s := builtIn()
	var layer *yamldoc.Document
	if !d.IsZero() {
		var err error
		if layer, err = d.decode(&s); err != nil {
			return Service{}, err
		}
		s.APIVersion = "" // each file must have its own
	}
	doc, err := yamldoc.Parse(name, src, mark)
	if err != nil {
		return Service{}, err
	}
	doc.Decode(&s)
	for _, c := range s.Components.List() {
		c.Defaults(func(option string) bool { return doc.Has(componentPath(c, option)) })
	}
	derive(&s)
	v := validator{doc: doc, s: s}
	v.apiVersion()
	v.own()
	v.shared()
	if err := doc.Err(); err != nil {
		return Service{}, err
	}
	s.origins = originsOf(s, func(path string) Origin {
		switch {
		case doc.Has(path):
			return FromSpec
		case layer != nil && layer.Has(path) && !replacesList(doc, path):
			return Origin("defaults " + d.name)
		}
		return BuiltIn
	})
	return s, nil
}

// replacesList reports whether the document sets the list that contains the path: a list in the
// spec replaces the whole list of the defaults.
func replacesList(doc *yamldoc.Document, path string) bool {
	list, _, inside := strings.Cut(path, "[")
	return inside && doc.Has(list)
}

// Parse parses a spec over the built-in defaults; see [Defaults.Parse].
func Parse(name string, src []byte) (Service, error) { return Defaults{}.Parse(name, src) }

// Choices are the choices for a new service. Only Name is required.
type Choices struct {
	Name        string
	Description string
	Owner       string // default: team- and the name
	Module      string // default: example.com/ and the name
	Pattern     string
	Resource    string
	Plural      string
	Components  []string
	Pipelines   []string // of [Pipelines]; nil uses the defaults, empty means none
	Directory   string   // relative to the root of the repository; empty if the service is the repository
	// ModuleDirectory is the directory relative to the module that contains the service.
	ModuleDirectory string
}

// New creates the first spec of a service over the built-in defaults; see [Defaults.New].
func New(c Choices) (Service, error) { return Defaults{}.New(c) }

// New creates the first spec of a service: the choices, plus the name, the owner, the module
// and the objectives, which every team should review. The error is a diagnostic.List with every
// invalid choice.
func (d Defaults) New(c Choices) (Service, error) {
	s := builtIn()
	var layer *yamldoc.Document
	if !d.IsZero() {
		var err error
		if layer, err = d.decode(&s); err != nil {
			return Service{}, err
		}
	}
	chosen := choose(&s, c)
	var unknown validator
	for i, name := range c.Components {
		path := fmt.Sprintf("components[%d]", i)
		if err := CheckComponent(name); err != nil {
			unknown.check(path, err)
			continue
		}
		s.Components = s.Components.With(name)
	}
	written := s.given(chosen)
	if c.Pipelines != nil {
		s.Deploy.Pipelines = c.Pipelines
		written["deploy.pipelines"] = true // even if it is empty
	}
	for i, name := range c.Pipelines {
		unknown.check(fmt.Sprintf("pipeline[%d]", i), checkOneOf("pipeline", name, Pipelines()))
		if slices.Contains(c.Pipelines[:i], name) {
			unknown.problemf(fmt.Sprintf("pipeline[%d]", i), "duplicate value %q; remove one", name)
		}
		written[fmt.Sprintf("deploy.pipelines[%d]", i)] = true
	}
	if c.Directory != "" {
		s.Deploy.Directory = c.Directory
		written["deploy.directory"] = true
	}
	derive(&s)
	v := validator{s: s}
	v.own()
	v.check("deploy.directory", CheckDirectory(c.Directory))
	if err := append(v.problems, unknown.problems...).Err(); err != nil {
		return Service{}, err
	}
	s.origins = originsOf(s, func(path string) Origin {
		switch {
		case written[path]:
			return FromSpec
		case layer != nil && layer.Has(path):
			return Origin("defaults " + d.name)
		}
		return BuiltIn
	})
	return s, nil
}

// given returns the paths of the nonempty values below the keys.
func (s Service) given(keys map[string]bool) map[string]bool {
	paths := map[string]bool{}
	walk(reflect.ValueOf(s), "", func(path string, v reflect.Value) {
		if keys[topKey(path)] && !v.IsZero() {
			paths[path] = true
		}
	})
	return paths
}

// choose sets the choices and returns the top-level keys to write.
func choose(s *Service, c Choices) map[string]bool {
	s.APIVersion, s.Name = APIVersion, c.Name
	written := map[string]bool{"apiVersion": true, "service": true, "owner": true, "module": true, "slos": true}
	if s.Owner == "" {
		s.Owner = "team-" + c.Name
	}
	s.Module = "example.com/" + c.Name
	for _, choice := range []struct {
		key, value string
		field      *string
	}{
		{"description", c.Description, &s.Description},
		{"owner", c.Owner, &s.Owner},
		{"module", c.Module, &s.Module},
		{"moduleDirectory", c.ModuleDirectory, &s.ModuleDirectory},
		{"pattern", c.Pattern, &s.Pattern},
		{"resource", c.Resource, &s.Resource},
		{"plural", c.Plural, &s.Plural},
	} {
		if choice.value != "" {
			*choice.field = choice.value
			written[choice.key] = true
		}
	}
	written["components"] = len(c.Components) > 0
	return written
}

func topKey(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}
