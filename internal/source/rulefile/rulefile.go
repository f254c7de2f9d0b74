// Package rulefile reads files of Prometheus rules, whoever wrote them, and tells
// every mistake of a file at once with line and column.
//
// It reads what Prometheus reads, the keys that Mimir and Thanos add, and the
// PrometheusRule resource that operators take.
package rulefile

import (
	"bytes"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// File is one file of rules.
type File struct {
	Name     string
	Groups   []Group
	Resource bool // a PrometheusRule, which an operator turns into a file
}

// Group is evaluated in order, all at once.
type Group struct {
	Name                  string
	Interval, QueryOffset time.Duration // 0 where the file leaves it to the server
	Tenants               []string      // whose series the rules read, sorted; empty if the group sets none
	Rules                 []Rule
	Line                  int
}

// Rule records a series or raises an alert.
type Rule struct {
	Record, Alert       string // one of them
	Expr                string
	Tree                parser.Expr       // nil when Expr does not parse or is not read
	Unread              string            // why Expr is not read though Prometheus may read it, or empty
	For, KeepFiringFor  time.Duration     // 0 where the file does not say
	Labels, Annotations map[string]string // labels of the group included
	Line                int               // of the name

	doc  *yamldoc.Document
	path string
}

// Name says what the rule is, as in "alert OrdersDown".
func (r Rule) Name() string {
	if r.Record != "" {
		return "record " + r.Record
	}
	return "alert " + r.Alert
}

// ExprPlace is the line and column of an offset into the expression.
func (r Rule) ExprPlace(offset int) (line, column int) {
	return r.doc.Place(r.path+".expr", offset)
}

// TextPlace is where the value of a key stands, as in annotations.summary.
func (r Rule) TextPlace(key string) (line, column int) {
	return r.doc.Place(r.path+"."+key, 0)
}

// Parts of LogQL, without the contents of quoted texts and without comments.
var (
	// stream is a selector of log lines, which has no name before the brace.
	stream = regexp.MustCompile(`(?:^|[(,])\s*\{[^{}]*\}`)
	// namedSelector is one of PromQL.
	namedSelector = regexp.MustCompile(`[\w:.]\s*\{`)
	// pipeline is a filter or a stage behind a selector and its range.
	pipeline = regexp.MustCompile(stream.String() + `[\s)]*(?:\[[^\[\]]*\]\s*(?:offset\s+-?\w+)?[\s)]*)?(?:\|[=~>]?\s*["(A-Za-z_]|!>|(?:!=|!~)\s*(?:"|ip\s*\())`)
	// function is one that PromQL does not have.
	function = regexp.MustCompile(`\b(?:approx_topk|bytes_over_time|bytes_rate|rate_counter)\s*\(`)

	// word is a name or a keyword, and not the exponent of a number.
	word = regexp.MustCompile(`\b[A-Za-z_]`)

	quotedOrComment = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|#[^\n]*")
)

// skeleton is an expression without the contents of quoted texts and without comments.
func skeleton(expr string) string {
	return quotedOrComment.ReplaceAllStringFunc(expr, func(part string) string {
		if part[0] == '#' {
			return " "
		}
		return `""`
	})
}

// isLogQL says whether only Loki can evaluate a rule that names no metric.
func (r Rule) isLogQL() bool {
	text := skeleton(r.Expr)
	return r.Tree == nil && (pipeline.MatchString(text) || stream.MatchString(text) && function.MatchString(text))
}

// namesMetric says whether Loki rejects the rule, since a query of logs has no metric.
func (r Rule) namesMetric() bool {
	if r.Tree == nil {
		text := skeleton(r.Expr)
		return namedSelector.MatchString(text) || !strings.Contains(text, "{") && word.MatchString(text)
	}
	named := false
	parser.Inspect(r.Tree, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && v.Name != "" {
			named = true
		}
		return nil
	})
	return named
}

// LogQL returns the first rule that only Loki can evaluate. A file that has one is a file of Loki,
// unless a rule names a metric: no server reads such a file.
func (f File) LogQL() (first Rule, found bool) {
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			switch {
			case r.namesMetric():
				return Rule{}, false
			case !found && r.isLogQL():
				first, found = r, true
			}
		}
	}
	return first, found
}

// source is the shape of a file. Keys that only other servers know are read and ignored.
type source struct {
	Groups    []groupSource `yaml:"groups"`
	Namespace string        `yaml:"namespace"` // Mimir
}

type groupSource struct {
	Name        string                     `yaml:"name"`
	Interval    yamldoc.PrometheusDuration `yaml:"interval"`
	QueryOffset yamldoc.PrometheusDuration `yaml:"query_offset"`
	Limit       limit                      `yaml:"limit"` // not used
	Labels      map[string]string          `yaml:"labels"`
	Rules       []ruleSource               `yaml:"rules"`

	SourceTenants   []string                   `yaml:"source_tenants"`   // Mimir
	EvaluationDelay yamldoc.PrometheusDuration `yaml:"evaluation_delay"` // Mimir
	Align           bool                       `yaml:"align_evaluation_time_on_interval"`
	PartialResponse string                     `yaml:"partial_response_strategy"` // Thanos
}

type limit struct{}

// UnmarshalYAMLNode implements [yamldoc.Unmarshaler]. It reads what Prometheus does: a number with a
// fraction or an exponent, too.
func (limit) UnmarshalYAMLNode(n *yaml.Node) error {
	var number int
	if n.Decode(&number) != nil {
		return errors.New("not a number, or too large; write one such as 100")
	}
	return nil
}

type ruleSource struct {
	Record        string                     `yaml:"record"`
	Alert         string                     `yaml:"alert"`
	Expr          string                     `yaml:"expr"`
	For           yamldoc.PrometheusDuration `yaml:"for"`
	KeepFiringFor yamldoc.PrometheusDuration `yaml:"keep_firing_for"`
	Labels        map[string]string          `yaml:"labels"`
	Annotations   map[string]string          `yaml:"annotations"`
}

// IsTest reports whether a file with this name tests rules instead of holding any.
func IsTest(name string) bool {
	return slices.ContainsFunc([]string{".test.yaml", ".test.yml", "_test.yaml", "_test.yml"}, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}

// Marks are the keys by which a file of rules is recognised.
func Marks() []string { return []string{"groups:", resourceMark} }

const resourceMark = "kind: PrometheusRule"

// Document is a part of a file.
type Document struct {
	Src    []byte
	Before int // lines of the file before it
}

// Documents are the PrometheusRules of a text with several resources. Any other text is one document,
// and so is one with too many values.
func Documents(src []byte) []Document {
	if yamldoc.Bounded(src) != nil {
		return []Document{{Src: src}}
	}
	var all []Document
	onlyResources := true
	line, begin := 0, 0
	add := func(end, lines int) {
		if doc := src[begin:end]; userfile.Marked(doc, Marks()...) {
			all = append(all, Document{doc, line})
			onlyResources = onlyResources && userfile.Marked(doc, resourceMark)
		}
		begin, line = end, lines
	}
	at, lines := 0, 0
	for text := range bytes.Lines(src) {
		if mark, rest, _ := bytes.Cut(bytes.TrimRight(text, " \t\r\n"), []byte(" ")); string(mark) == "---" && (len(rest) == 0 || bytes.HasPrefix(bytes.TrimSpace(rest), []byte("#"))) {
			add(at, lines)
		}
		at, lines = at+len(text), lines+1
	}
	add(len(src), lines)
	if len(all) == 0 || !onlyResources {
		return []Document{{Src: src}}
	}
	return all
}

// Parse reads a file. What could be read is returned even beside an error, which
// is a diagnostic.List, so that one mistake does not hide others, or an [OtherError].
func Parse(name string, src []byte) (File, error) { return ParsePart(name, Document{Src: src}) }

// ParsePart is Parse for a part of a file.
func ParsePart(name string, part Document) (File, error) {
	file := File{Name: name}
	doc, err := yamldoc.ParsePart(name, part.Before, part.Src, Marks()...)
	if err != nil {
		if strings.Contains(err.Error(), "the file is empty") {
			return file, nil // no rules are rules, too
		}
		return file, err
	}
	var s source
	prefix := ""
	if file.Resource = isResource(doc); file.Resource {
		prefix = "spec."
		doc.DecodeKey("spec", &s)
	} else if err := other(name, doc); err != nil {
		return file, err
	} else {
		doc.Decode(&s)
	}
	for i, g := range s.Groups {
		file.Groups = append(file.Groups, group(doc, prefix+"groups["+strconv.Itoa(i)+"]", g))
	}
	return file, doc.Err()
}

func isResource(doc *yamldoc.Document) bool {
	root := doc.Root()
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "kind" {
			return root.Content[i+1].Value == "PrometheusRule"
		}
	}
	return false
}

func group(doc *yamldoc.Document, path string, s groupSource) Group {
	line, _ := doc.Place(path, 0)
	g := Group{Name: s.Name, Interval: time.Duration(s.Interval), QueryOffset: time.Duration(max(s.QueryOffset, s.EvaluationDelay)), Tenants: slices.Sorted(slices.Values(s.SourceTenants)), Line: line}
	if s.Name == "" {
		doc.Problemf(path, "the group has no name; give it one")
	}
	checkLabels(doc, path+".labels", s.Labels)
	for i, r := range s.Rules {
		rulePath := path + ".rules[" + strconv.Itoa(i) + "]"
		if rule, ok := read(doc, rulePath, r); ok {
			labels := maps.Clone(s.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, r.Labels) // of the two the rule's own wins
			rule.Labels = labels
			g.Rules = append(g.Rules, rule)
		}
	}
	return g
}

// read checks one rule. What is neither record nor alert is left out.
func read(doc *yamldoc.Document, path string, s ruleSource) (Rule, bool) {
	r := Rule{
		Record: s.Record, Alert: s.Alert, Expr: s.Expr, For: time.Duration(s.For), KeepFiringFor: time.Duration(s.KeepFiringFor), Annotations: s.Annotations, doc: doc, path: path,
	}
	switch {
	case s.Record == "" && s.Alert == "":
		doc.Problemf(path, "the rule has neither record nor alert; write one of them")
		return r, false
	case s.Record != "" && s.Alert != "":
		doc.Problemf(path, "the rule has record and alert; make two rules of it")
		return r, false
	case s.Record != "":
		checkRecord(doc, path, s)
		r.Line, _ = doc.Place(path+".record", 0)
	default:
		r.Line, _ = doc.Place(path+".alert", 0)
	}
	checkLabels(doc, path+".labels", s.Labels)
	checkNames(doc, path+".annotations", s.Annotations, "")
	if strings.TrimSpace(s.Expr) == "" {
		doc.Problemf(path+".expr", "the rule has no expr; write what it is to evaluate")
		return r, true
	}
	tree, err := promql.Parse(s.Expr)
	if promql.IsLimit(err) {
		r.Unread = err.Error()
		return r, true
	}
	if err != nil {
		problem(doc, path+".expr", err)
		return r, true
	}
	r.Tree = tree
	return r, true
}

func checkRecord(doc *yamldoc.Document, path string, s ruleSource) {
	// Prometheus 3 takes any name but one that looks like an expression.
	if !model.UTF8Validation.IsValidMetricName(s.Record) || strings.ContainsAny(s.Record, "{}") {
		doc.Problemf(path+".record", "%q is not a metric name; use letters, digits, underscores and colons", s.Record)
	}
	if s.For != 0 || s.KeepFiringFor != 0 || len(s.Annotations) > 0 {
		doc.Problemf(path, "for, keep_firing_for and annotations belong to alerts; a recorded series has none")
	}
}

func checkLabels(doc *yamldoc.Document, path string, labels map[string]string) {
	checkNames(doc, path, labels, model.MetricNameLabel)
}

// checkNames reports invalid names of labels or annotations, and the reserved name.
func checkNames(doc *yamldoc.Document, path string, all map[string]string, reserved string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !model.UTF8Validation.IsValidLabelName(name) || name == reserved {
			doc.Problemf(path+"."+name, "%q is not a label name; use letters, digits and underscores", name)
		}
	}
}

// problem reports where in the file the parser stumbled.
func problem(doc *yamldoc.Document, path string, err error) {
	message, offset := Explain(err)
	doc.ProblemAtf(path, offset, "%s", message)
}

// Explain says what is wrong with a query, and at which byte.
func Explain(err error) (message string, offset int) {
	message = err.Error()
	if promql.IsLimit(err) {
		return message, 0
	}
	first := (*parser.ParseErr)(nil)
	if list := (parser.ParseErrors)(nil); errors.As(err, &list) && len(list) > 0 {
		first = &list[0]
	} else if !errors.As(err, &first) {
		return "not PromQL: " + message, 0
	}
	message, offset = first.Err.Error(), int(first.PositionRange.Start)
	if name, found := strings.CutPrefix(message, "unknown function with name "); found {
		name = strings.Trim(name, `"`)
		return "not PromQL: unknown function " + name + diagnostic.DidYouMean(name, callable()), offset
	}
	return "not PromQL: " + message, offset
}

// callable is what may stand before an opening bracket.
func callable() []string {
	aggregations := []string{"avg", "bottomk", "count", "count_values", "group", "max", "min", "quantile", "stddev", "stdvar", "sum", "topk"}
	return append(aggregations, slices.Sorted(maps.Keys(parser.Functions))...)
}
