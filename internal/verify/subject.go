package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/slo"
)

// Directories of a service with files to check, as in packages design and generator.
const (
	rulesDirectory      = "observability/rules"
	dashboardsDirectory = "observability/dashboards"
	runbooksDirectory   = "observability/runbooks"
	routesFile          = "observability/alertmanager.yaml"

	prometheusFile  = "observability/stack/prometheus.yaml"
	datasourcesFile = "observability/stack/datasources.yaml"
)

// slower is the factor from the longest latency threshold to the duration of a slow request, and slowest the
// duration without a latency objective.
const (
	slower  = 1.25
	slowest = 300 * time.Millisecond
)

// Load reads the rules, dashboards, runbooks and requests in a service directory, including the user's own.
// rules is the compiled specification; nil without one. The error is a [diagnostic.List] of all problems in
// all files.
func Load(dir string, rules *slo.Rules, routes []string) (Subject, error) {
	s := Subject{Dir: dir, Slow: slowest}
	l := loader{dir: dir}
	l.each(rulesDirectory, []string{".yaml", ".yml"}, func(name string, data []byte) error {
		if rulefile.IsTest(name) {
			return nil
		}
		groups, err := rulesim.Load(name, data)
		s.Rules = append(s.Rules, groups...)
		return err
	})
	l.each(dashboardsDirectory, []string{".json"}, func(name string, data []byte) error {
		b, err := dashboardfile.Parse(name, data)
		s.Dashboards = append(s.Dashboards, b)
		return err
	})
	l.each(runbooksDirectory, []string{".md"}, func(name string, data []byte) error {
		s.Runbooks = append(s.Runbooks, Runbook{name, data})
		return nil
	})
	l.one(prometheusFile, func(_ string, data []byte) error { s.Provisioned.Prometheus = data; return nil })
	l.one(datasourcesFile, func(_ string, data []byte) error { s.Provisioned.Datasources = data; return nil })
	l.one(RequestFile, func(name string, data []byte) (err error) {
		s.RequestsFile = name
		s.Requests, err = httpfile.Parse(name, data)
		return err
	})
	if rules != nil {
		s.describe(*rules)
		l.one(routesFile, func(_ string, data []byte) error { return s.simulate(*rules, routes, data) })
	}
	return s, l.problems.Err()
}

// describe copies the service's properties from the specification.
func (s *Subject) describe(rules slo.Rules) {
	spec := rules.Spec
	s.Service, s.Selector, s.EnvironmentLabel, s.ScrapeInterval = spec.Service, spec.Selector, spec.EnvironmentLabel, spec.ScrapeInterval
	s.Pushes = spec.Metrics == slo.MetricsPush
	s.Selector = maps.Clone(spec.Selector)
	for _, label := range spec.GroupBy {
		s.Selector[label] = Environment // set by the scrape
	}
	s.Counted = map[string]Counted{}
	for _, o := range spec.SLOs {
		if target, err := strconv.ParseFloat(o.Target.String(), 64); err == nil && o.Indicator.Availability != nil && len(o.GroupBy) == 0 {
			s.Counted[o.Name] = Counted{1 - target/100, o.Route, o.Method}
		}
		if o.Indicator.Latency != nil {
			s.Slow = max(s.Slow, time.Duration(slower*float64(o.Indicator.Latency.Threshold)))
		}
	}
}

// withDefaults uses the service's own description if there is no specification.
func (s *Subject) withDefaults(signals declared.Signals) {
	if s.Service == "" {
		spec := slo.Spec{Service: signals.Service}.WithDefaults()
		s.Service, s.Selector, s.EnvironmentLabel, s.ScrapeInterval = signals.Service, spec.Selector, spec.EnvironmentLabel, spec.ScrapeInterval
	}
	if s.Simulation != nil && len(s.Simulation.Fleet.Routes) == 0 {
		s.Simulation.Fleet.Routes = signals.Routes
	}
}

// Complete adds the compiled rules that are not on the disk: a service that was not generated may store its
// rules elsewhere.
func (s *Subject) Complete(rules slo.Rules, routes []string) error {
	for _, f := range rules.RuleFiles() {
		if slices.ContainsFunc(s.Rules, func(g rulesim.Group) bool { return path.Base(g.File) == f.Name }) {
			continue
		}
		groups, err := rulesim.Load(f.Name, f.Data)
		if err != nil {
			return err
		}
		s.Rules = append(s.Rules, groups...)
	}
	if s.Simulation != nil {
		return nil
	}
	return s.simulate(rules, routes, rules.Alertmanager())
}

// simulate prepares the simulation of the generated rules. The user's own alerts may fire for other reasons
// and are only checked against the running service.
func (s *Subject) simulate(rules slo.Rules, routes []string, routing []byte) error {
	parsed, err := rulesim.ParseRouting(routing)
	if err != nil {
		return fmt.Errorf("%s: %w", routesFile, err)
	}
	s.Simulation = &alertsim.Simulation{Rules: rules, Routing: parsed, Fleet: alertsim.Fleet{Routes: routes, Replicas: rules.Spec.Replicas.Min}}
	for _, g := range s.Rules {
		if !strings.Contains(filepath.ToSlash(g.File), "/own/") {
			s.Simulation.Groups = append(s.Simulation.Groups, g)
		}
	}
	return nil
}

// loader reads files and collects their problems.
type loader struct {
	dir      string
	problems diagnostic.List
}

// wrong adds a problem, or all problems of a list.
func (l *loader) wrong(err error) {
	if list, ok := errors.AsType[diagnostic.List](err); ok {
		l.problems = append(l.problems, list...)
		return
	}
	l.problems = append(l.problems, diagnostic.Problem{Message: err.Error()})
}

func (l *loader) each(directory string, endings []string, take func(name string, data []byte) error) {
	root := filepath.Join(l.dir, filepath.FromSlash(directory))
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains(endings, filepath.Ext(path)) {
			return err
		}
		l.read(path, take)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.wrong(err)
	}
}

// one reads an optional file.
func (l *loader) one(name string, take func(name string, data []byte) error) {
	path := filepath.Join(l.dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	l.read(path, take)
}

func (l *loader) read(path string, take func(name string, data []byte) error) {
	data, err := userfile.Read(path, limitOf(path))
	if err == nil {
		name, nameErr := filepath.Rel(l.dir, path)
		err = errors.Join(nameErr, take(filepath.ToSlash(name), data))
	}
	if err != nil {
		l.wrong(err)
	}
}

// limitOf returns the size limit of a file, which is larger for files that programs write.
func limitOf(path string) int64 {
	if strings.HasSuffix(path, ".http") || strings.HasSuffix(path, ".md") {
		return userfile.Limit
	}
	return userfile.LargeLimit
}
