package slo

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// ImportOptions are settings that files of other tools do not have.
type ImportOptions struct {
	// Service selects a service of a file with several. For Pyrra, which has no services, it
	// is the name of the service.
	Service string
	// Selector is [Spec.Selector]. Default: the job that all queries match, or else the name
	// of the service.
	Selector map[string]string
	// ScrapeInterval and EnvironmentLabel are those of [Spec], with its defaults.
	ScrapeInterval   time.Duration
	EnvironmentLabel string
}

// Imported are the objectives of one service from a file of another tool.
type Imported struct {
	Spec Spec
	// Dropped lists ignored keys and documents, as file:line:column and key. The rules do not
	// depend on them.
	Dropped []string
	Changed []string // differences between the rules and the file

	source source
}

// Problem returns a problem at a path of the specification, with the position of the value
// in the file.
func (i Imported) Problem(path, message string) diagnostic.Problem {
	return i.source.ofPath(path, message)
}

// Import reads the objectives of one service from documents of OpenSLO (v1 and v1alpha),
// sloth (prometheus/v1 and PrometheusServiceLevel) or Pyrra (ServiceLevelObjective). A
// document may be a list of documents, or a List of Kubernetes. Unsupported keys that the
// rules depend on are problems. The error has all problems, with their positions.
func Import(name string, src []byte, options ImportOptions) (Imported, error) {
	im := &importer{source: newSource(name, src), options: options, used: map[*yaml.Node]bool{}, ignored: map[*yaml.Node]bool{}, referenced: map[*yaml.Node]bool{}, listed: map[*yaml.Node]bool{}}
	if err := im.read(src); err != nil {
		return Imported{}, err
	}
	for _, doc := range im.documents {
		if im.holdsObjectives(doc) {
			im.document(doc)
		}
	}
	for _, doc := range im.documents {
		switch {
		case im.referenced[doc]:
			im.leftOver(doc, "")
		case !im.holdsObjectives(doc):
			im.other(doc, im.version(doc), im.text(doc, "kind"))
		}
	}
	if len(im.problems) == 0 && len(im.spec.SLOs) == 0 {
		im.nothing()
	}
	im.setService()
	im.shortenNames()
	im.setAlerting()
	im.setSelector()
	im.change(&yaml.Node{}, "minBadEvents", fmt.Sprintf("fewer than %d bad events fire no alert", DefaultMinBadEvents))
	im.setTelemetry()
	im.check()
	// Keys of a service are read for each objective, and have as many problems.
	if err := im.problems.Bounded().Err(); err != nil {
		return Imported{}, err
	}
	return Imported{Spec: im.spec, Dropped: im.dropped.lines(), Changed: im.changed.lines(), source: im.source}, nil
}

// importer converts documents to a specification, and records which keys it read.
type importer struct {
	source
	options   ImportOptions
	documents []*yaml.Node
	used      map[*yaml.Node]bool // keys
	ignored   map[*yaml.Node]bool // keys
	// referenced are the documents that objectives refer to.
	referenced map[*yaml.Node]bool
	listed     map[*yaml.Node]bool // values whose unread keys are in dropped
	spec       Spec
	unnamed    []*yaml.Node // names of Pyrra objectives, which have no service
	alerting   []alertKey
	queries    []parsed // of the current objective
	problems   diagnostic.List
	dropped    remarks
	changed    remarks
}

// check validates the specification. It first replaces parts with a reported problem by
// valid ones, so that each problem is reported once.
func (im *importer) check() {
	im.spec = im.spec.WithDefaults()
	if len(im.problems) > 0 {
		setDefault(&im.spec.Service, "reported")
		for i := range im.spec.SLOs {
			if !im.spec.SLOs[i].Indicator.Custom() {
				im.spec.SLOs[i].Indicator.Ratio = &Ratio{Total: "total", Bad: "bad"}
			}
		}
		if len(im.spec.SLOs) == 0 {
			return
		}
	}
	im.spec.parsed = im.spec.check(im)
}

// remarks are the lines of [Imported.Changed] or [Imported.Dropped], with positions.
type remarks diagnostic.List

func (r remarks) lines() []string {
	sorted := slices.Clone(r)
	slices.SortStableFunc(sorted, func(a, b diagnostic.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var out []string
	for _, p := range sorted {
		out = append(out, strings.TrimSuffix(p.Error(), ": "))
	}
	return slices.Compact(out)
}

// came records the position in the file of a path of the specification.
func (im *importer) came(path string, node *yaml.Node, from string) {
	if node != nil {
		im.places[path] = place{node, from}
	}
}

// Problemf and ProblemAtf implement [Reporter], with paths of the specification.
func (im *importer) Problemf(path, format string, args ...any) {
	im.ProblemAtf(path, 0, format, args...)
}

func (im *importer) ProblemAtf(path string, _ int, format string, args ...any) {
	// Indexes of the specification differ from those of the file.
	message := objectivePath.ReplaceAllStringFunc(sprintf(format, args...), func(path string) string {
		if p, ok := im.places[path]; ok {
			return fmt.Sprintf("the objective on line %d", p.node.Line)
		}
		return path
	})
	im.problems = append(im.problems, im.ofPath(path, message))
}

var objectivePath = regexp.MustCompile(`slos\[[0-9]+\]`)

// at records a problem at a node.
func (im *importer) at(n *yaml.Node, path, message string) {
	im.problems = append(im.problems, im.ofNode(n, path, message))
}

func (im *importer) drop(n *yaml.Node, path, message string) {
	im.dropped = append(im.dropped, im.ofNode(n, path, message))
}

func (im *importer) change(n *yaml.Node, path, message string) {
	im.changed = append(im.changed, im.ofNode(n, path, message))
}

// Versions and kinds of objectives.
const (
	openSLOVersion = "openslo/v1" // read and written
	openSLOAlpha   = "openslo/v1alpha"
	slothVersion   = "prometheus/v1"
	slothResource  = "sloth.slok.dev/v1"
	slothKind      = "PrometheusServiceLevel"
	pyrraVersion   = "pyrra.dev/v1alpha1"
	pyrraKind      = "ServiceLevelObjective"
	openSLOKind    = "SLO"
)

const importable = openSLOVersion + " and " + openSLOAlpha + " (kind " + openSLOKind + "), " + slothVersion + ", " +
	slothResource + " (" + slothKind + "), " + pyrraVersion + " (" + pyrraKind + ")"

// version returns the apiVersion of a document, or the version of sloth files.
func (im *importer) version(doc *yaml.Node) string {
	if version := im.text(doc, "apiVersion"); version != "" {
		return version
	}
	return im.text(doc, "version")
}

// document imports the objectives of a document.
func (im *importer) document(doc *yaml.Node) {
	version := im.version(doc)
	if body := im.get(doc, "spec"); version != slothVersion && (body == nil || body.Kind != yaml.MappingNode) {
		im.at(im.find(doc, "spec"), "spec", "must be a mapping with the objective")
		return
	}
	switch of := im.serviceOf(doc); {
	case version == pyrraVersion:
		im.unnamed = append(im.unnamed, of.node)
	case of.name == "":
		if above := strings.TrimSuffix(strings.TrimSuffix(of.path, "service"), "."); !im.misspelled(im.find(doc, above), above, "service") {
			im.at(of.node, of.path, "is missing; write the name of the service")
		}
	case im.options.Service != "" && of.name != im.options.Service:
		im.drop(of.node, of.path, fmt.Sprintf("the objectives of %q", of.name))
		return
	case im.spec.Service == "":
		im.spec.Service = of.name
		im.came("service", of.node, of.path)
	case im.spec.Service != of.name:
		im.at(of.node, of.path, fmt.Sprintf("the file has the services %q and %q; choose one, such as --service %s", im.spec.Service, of.name, of.name))
		return
	}
	switch version {
	case openSLOVersion, openSLOAlpha:
		im.openSLO(doc)
	case slothVersion, slothResource:
		im.sloth(doc)
	case pyrraVersion:
		im.pyrra(doc)
	}
	im.leftOver(doc, "")
}

func (im *importer) holdsObjectives(doc *yaml.Node) bool {
	kind := im.text(doc, "kind")
	switch im.version(doc) {
	case openSLOVersion, openSLOAlpha:
		return kind == openSLOKind
	case slothVersion:
		return true
	case slothResource:
		return kind == slothKind
	case pyrraVersion:
		return kind == pyrraKind
	}
	return false
}

// other reports a document without objectives: as a problem if the rules may depend on it,
// else as dropped.
func (im *importer) other(doc *yaml.Node, version, kind string) {
	kinds := []string{openSLOKind, "SLI", "Service", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"}
	openSLO := version == openSLOVersion || version == openSLOAlpha
	at := im.find(doc, "kind")
	switch {
	case openSLO && slices.Contains(kinds, kind):
		im.drop(doc, "", fmt.Sprintf("kind %s of apiVersion %s", kind, version))
	case openSLO:
		im.at(at, "kind", fmt.Sprintf("%q is not a kind of %s; objectives have the kind %s%s", kind, version, openSLOKind, diagnostic.DidYouMean(kind, kinds)))
	case version == slothResource:
		im.at(at, "kind", fmt.Sprintf("%q is not supported; only %s is", kind, slothKind))
	case version == pyrraVersion:
		im.at(at, "kind", fmt.Sprintf("%q is not supported; only %s is", kind, pyrraKind))
	case supported(version) != "":
		key := "apiVersion"
		if child(doc, key) == nil {
			key = "version"
		}
		im.at(im.find(doc, key), key, fmt.Sprintf("%q is not supported; write %s", version, supported(version)))
	default:
		im.drop(doc, "", described(kind, version))
	}
}

// described returns a description of an unknown document.
func described(kind, version string) string {
	switch {
	case kind == "" && version == "":
		return "a document without apiVersion and kind"
	case kind == "":
		return fmt.Sprintf("a document of version %q without a kind", version)
	}
	return fmt.Sprintf("kind %q of apiVersion %q", kind, version)
}

// supported returns the supported version of the format of a version, or "" for unknown
// formats.
func supported(version string) string {
	for prefix, read := range map[string]string{"openslo": openSLOVersion, "prometheus/": slothVersion, "sloth.": slothResource, "pyrra.": pyrraVersion} {
		if strings.HasPrefix(version, prefix) {
			return read
		}
	}
	return ""
}

// nothing reports that the file has no objectives, and what it has instead.
func (im *importer) nothing() {
	if len(im.documents) == 0 {
		im.at(&yaml.Node{Line: 1, Column: 1}, "", "the file is empty")
		return
	}
	services, others := map[string]bool{}, map[string]bool{}
	for _, doc := range im.documents {
		if im.holdsObjectives(doc) {
			services[fmt.Sprintf("%q", im.serviceOf(doc).name)] = true
		} else {
			others[described(im.text(doc, "kind"), im.version(doc))] = true
		}
	}
	list := func(of map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(of)), ", ") }
	if len(services) > 0 {
		im.at(im.documents[0], "", fmt.Sprintf("no objectives of the service %q; the file has objectives of %s", im.options.Service, list(services)))
		return
	}
	im.at(im.documents[0], "", "no objectives, but "+list(others)+"; objectives are read from "+importable)
}
