// Package rulefile reads Prometheus rule files, with the keys of Mimir and Thanos, and PrometheusRule
// resources. It reports all errors of a file with line and column.
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

// File is a rule file.
type File struct {
	Name     string
	Groups   []Group
	Resource bool // a PrometheusRule
}

// Group is a group of rules, which are evaluated in order.
type Group struct {
	Name                  string
	Interval, QueryOffset time.Duration // 0: the server's default
	Tenants               []string      // source tenants, sorted
	Rules                 []Rule
	Line                  int
}

// Rule is a recording rule or an alert.
type Rule struct {
	Record, Alert       string // one is empty
	Expr                string
	Tree                parser.Expr       // nil if Expr does not parse or is too long
	Unread              string            // message if Expr exceeds the limits of package promql
	For, KeepFiringFor  time.Duration     // 0 if not set
	Labels, Annotations map[string]string // including labels of the group
	Line                int               // of the name

	doc  *yamldoc.Document
	path string
}

// Name returns the type and name of the rule, as in "alert OrdersDown".
func (r Rule) Name() string {
	if r.Record != "" {
		return "record " + r.Record
	}
	return "alert " + r.Alert
}

// ExprPlace returns the line and column of an offset in the expression.
func (r Rule) ExprPlace(offset int) (line, column int) {
	return r.doc.Place(r.path+".expr", offset)
}

// TextPlace returns the line and column of the value of a key, as in annotations.summary.
func (r Rule) TextPlace(key string) (line, column int) {
	return r.doc.Place(r.path+"."+key, 0)
}

// Parts of LogQL, in a skeleton.
var (
	// stream matches a log stream selector, which has no name before the brace.
	stream = regexp.MustCompile(`(?:^|[(,])\s*\{[^{}]*\}`)
	// namedSelector matches a PromQL selector.
	namedSelector = regexp.MustCompile(`[\w:.]\s*\{`)
	// pipeline matches a filter or stage after a selector and its range.
	pipeline = regexp.MustCompile(stream.String() + `[\s)]*(?:\[[^\[\]]*\]\s*(?:offset\s+-?\w+)?[\s)]*)?(?:\|[=~>]?\s*["(A-Za-z_]|!>|(?:!=|!~)\s*(?:"|ip\s*\())`)
	// function matches functions that PromQL does not have.
	function = regexp.MustCompile(`\b(?:approx_topk|bytes_over_time|bytes_rate|rate_counter)\s*\(`)

	// word matches a name or a keyword, but not the exponent of a number.
	word = regexp.MustCompile(`\b[A-Za-z_]`)

	quotedOrComment = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|#[^\n]*")
)

// skeleton returns an expression without comments and contents of quoted texts.
func skeleton(expr string) string {
	return quotedOrComment.ReplaceAllStringFunc(expr, func(part string) string {
		if part[0] == '#' {
			return " "
		}
		return `""`
	})
}

// isLogQL reports whether only Loki can evaluate a rule that names no metric.
func (r Rule) isLogQL() bool {
	text := skeleton(r.Expr)
	return r.Tree == nil && (pipeline.MatchString(text) || stream.MatchString(text) && function.MatchString(text))
}

// namesMetric reports whether the expression names a metric, which Loki rejects.
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

// LogQL returns the first LogQL rule. If any rule names a metric, the file is not one of Loki and
// found is false.
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

// source is the format of a file. Keys of other servers are accepted and ignored.
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

// UnmarshalYAMLNode implements [yamldoc.Unmarshaler]. As Prometheus does, it accepts numbers with a
// fraction or an exponent.
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

// IsTest reports whether a file with this name is a rule test.
func IsTest(name string) bool {
	return slices.ContainsFunc([]string{".test.yaml", ".test.yml", "_test.yaml", "_test.yml"}, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}

// Marks returns the keys by which a rule file is recognized.
func Marks() []string { return []string{"groups:", resourceMark} }

const resourceMark = "kind: PrometheusRule"

// Document is a part of a file.
type Document struct {
	Src    []byte
	Before int // lines of the file before it
}

// Documents returns the PrometheusRules of a file with several resources. Any other file is one
// document, also one with too many values.
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

// Parse reads a file. The error is a [diagnostic.List] or an [OtherError]. With a list, it returns the
// valid rules, too, so that an error does not hide findings of other rules.
func Parse(name string, src []byte) (File, error) { return ParsePart(name, Document{Src: src}) }

// ParsePart is Parse for a part of a file.
func ParsePart(name string, part Document) (File, error) {
	file := File{Name: name}
	doc, err := yamldoc.ParsePart(name, part.Before, part.Src, Marks()...)
	if err != nil {
		if strings.Contains(err.Error(), "the file is empty") {
			return file, nil // a rule file without rules
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
		doc.Problemf(path, "the group has no name; add one")
	}
	checkLabels(doc, path+".labels", s.Labels)
	for i, r := range s.Rules {
		rulePath := path + ".rules[" + strconv.Itoa(i) + "]"
		if rule, ok := read(doc, rulePath, r); ok {
			labels := maps.Clone(s.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, r.Labels) // labels of the rule override those of the group
			rule.Labels = labels
			g.Rules = append(g.Rules, rule)
		}
	}
	return g
}

// read reads a rule. It is not ok if it is not either a record or an alert.
func read(doc *yamldoc.Document, path string, s ruleSource) (Rule, bool) {
	r := Rule{
		Record: s.Record, Alert: s.Alert, Expr: s.Expr, For: time.Duration(s.For), KeepFiringFor: time.Duration(s.KeepFiringFor), Annotations: s.Annotations, doc: doc, path: path,
	}
	switch {
	case s.Record == "" && s.Alert == "":
		doc.Problemf(path, "the rule has neither record nor alert; write one of them")
		return r, false
	case s.Record != "" && s.Alert != "":
		doc.Problemf(path, "the rule has both record and alert; write two rules")
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
		doc.Problemf(path+".expr", "the rule has no expr; write an expression")
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
	// Prometheus 3 accepts all names except those with braces.
	if !model.UTF8Validation.IsValidMetricName(s.Record) || strings.ContainsAny(s.Record, "{}") {
		doc.Problemf(path+".record", "invalid metric name %q; use letters, digits, underscores and colons", s.Record)
	}
	if s.For != 0 || s.KeepFiringFor != 0 || len(s.Annotations) > 0 {
		doc.Problemf(path, "a recording rule has no for, keep_firing_for and annotations; remove them")
	}
}

func checkLabels(doc *yamldoc.Document, path string, labels map[string]string) {
	checkNames(doc, path, labels, model.MetricNameLabel)
}

// checkNames reports invalid names of labels or annotations, and the reserved name.
func checkNames(doc *yamldoc.Document, path string, all map[string]string, reserved string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !model.UTF8Validation.IsValidLabelName(name) || name == reserved {
			doc.Problemf(path+"."+name, "invalid label name %q; use letters, digits and underscores", name)
		}
	}
}

// problem reports an error of the parser at its place.
func problem(doc *yamldoc.Document, path string, err error) {
	message, offset := Explain(err)
	doc.ProblemAtf(path, offset, "%s", message)
}

// Explain returns the message and the byte offset of a parser's error.
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

// callable returns the names of functions and aggregations.
func callable() []string {
	aggregations := []string{"avg", "bottomk", "count", "count_values", "group", "max", "min", "quantile", "stddev", "stdvar", "sum", "topk"}
	return append(aggregations, slices.Sorted(maps.Keys(parser.Functions))...)
}
