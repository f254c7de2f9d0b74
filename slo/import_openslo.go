package slo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/diag"
)

// openSLOVersion is the version of OpenSLO that is read and written.
const openSLOVersion = "openslo/v1"

// maxOpenSLODepth bounds the nesting of an imported document: OpenSLO needs
// about ten levels.
const maxOpenSLODepth = 50

// ImportOpenSLO reads the objectives of one service from OpenSLO v1 documents
// of kind SLO. It returns what it left out, as file:line:column and key: there
// is no place for it here, and rules do not depend on it. What rules would
// depend on and cannot be taken over is a problem.
func ImportOpenSLO(name string, src []byte) (Spec, []string, error) {
	im := &importer{file: name}
	documents, err := im.documents(src)
	if err != nil {
		return Spec{}, nil, err
	}
	var spec Spec
	for _, doc := range documents {
		im.document(doc, &spec)
	}
	if len(im.problems) == 0 && len(spec.SLOs) == 0 {
		im.problems = append(im.problems, diag.Problem{File: name, Message: "holds no document of kind SLO and version " + openSLOVersion})
	}
	spec = spec.WithDefaults()
	if len(im.problems) == 0 {
		spec.parsed = spec.check(im)
	}
	if err := im.problems.Err(); err != nil {
		return Spec{}, nil, err
	}
	return spec, im.dropped, nil
}

// importer reads OpenSLO and remembers which keys it looked at.
type importer struct {
	file     string
	used     map[*yaml.Node]bool
	problems diag.List
	dropped  []string
}

// Problemf and ProblemAtf make the importer a Reporter. Paths are those of the
// specification, which the file does not have.
func (im *importer) Problemf(path, format string, args ...any) {
	im.ProblemAtf(path, 0, format, args...)
}

func (im *importer) ProblemAtf(path string, _ int, format string, args ...any) {
	im.problems = append(im.problems, diag.Problem{File: im.file, Path: path, Message: sprintf(format, args...)})
}

// at records a problem at a node, or without a place when there is none.
func (im *importer) at(n *yaml.Node, path, message string) {
	p := diag.Problem{File: im.file, Path: path, Message: message}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	im.problems = append(im.problems, p)
}

func (im *importer) documents(src []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var out []*yaml.Node
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: not valid YAML: %w", im.file, err)
		}
		if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
			continue
		}
		if tooDeep(doc.Content[0], maxOpenSLODepth) {
			return nil, fmt.Errorf("%s: nested deeper than any OpenSLO document", im.file)
		}
		out = append(out, doc.Content[0])
	}
}

func tooDeep(n *yaml.Node, left int) bool {
	if left == 0 {
		return true
	}
	for _, child := range n.Content {
		if tooDeep(child, left-1) {
			return true
		}
	}
	return false
}

// get follows keys down and marks each as read; nil when one is missing.
func (im *importer) get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				im.used[n.Content[i]] = true
				next = n.Content[i+1]
				break
			}
		}
		n = next
	}
	return n
}

func (im *importer) text(n *yaml.Node, keys ...string) string {
	if found := im.get(n, keys...); found != nil && found.Kind == yaml.ScalarNode {
		return found.Value
	}
	return ""
}

// first gives the only item of a list and reports a list of another length.
func (im *importer) first(n *yaml.Node, path string, keys ...string) *yaml.Node {
	list := im.get(n, keys...)
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		im.at(n, path, "is missing or no list")
		return nil
	}
	if len(list.Content) > 1 {
		im.at(list.Content[1], path, fmt.Sprintf("holds %d items; write a document for each", len(list.Content)))
	}
	return list.Content[0]
}

func (im *importer) document(doc *yaml.Node, spec *Spec) {
	im.used = map[*yaml.Node]bool{}
	kind := im.text(doc, "kind")
	if kind != "SLO" || im.text(doc, "apiVersion") != openSLOVersion {
		im.dropped = append(im.dropped, fmt.Sprintf("%s:%d:%d: a document of kind %q and version %q", im.file, doc.Line, doc.Column, kind, im.text(doc, "apiVersion")))
		return
	}
	if body := im.get(doc, "spec"); body == nil || body.Kind != yaml.MappingNode {
		im.at(doc, "spec", "is missing")
		return
	}
	service := im.text(doc, "spec", "service")
	switch spec.Service {
	case "", service:
		spec.Service = service
	default:
		im.at(im.get(doc, "spec", "service"), "spec.service", fmt.Sprintf("%q is another service than %q; convert each service from a file of its own", service, spec.Service))
	}
	spec.SLOs = append(spec.SLOs, im.objective(doc))
	im.leftOver(doc, "")
}

func (im *importer) objective(doc *yaml.Node) Objective {
	o := Objective{
		Name:        im.text(doc, "metadata", "name"),
		Description: im.text(doc, "spec", "description"),
	}
	if method := im.get(doc, "spec", "budgetingMethod"); method != nil && method.Value != "Occurrences" {
		im.at(method, "spec.budgetingMethod", method.Value+" is not supported; only Occurrences is")
	}
	if w := im.first(im.get(doc, "spec"), "spec.timeWindow", "timeWindow"); w != nil {
		o.Window = im.window(w)
	}
	if target := im.first(im.get(doc, "spec"), "spec.objectives", "objectives"); target != nil {
		o.Target = im.target(target)
	}
	in := im.get(doc, "spec", "indicator", "spec", "ratioMetric")
	if in == nil {
		im.at(doc, "spec.indicator", "holds no ratioMetric; thresholds and references to an SLI are not supported")
		return o
	}
	o.Indicator = im.indicator(in)
	return o
}

func (im *importer) window(n *yaml.Node) Window {
	duration := im.text(n, "duration")
	rolling := im.text(n, "isRolling")
	if rolling == "false" || im.get(n, "calendar") != nil {
		im.at(n, "spec.timeWindow", "is a calendar window; only rolling ones are supported")
	}
	if duration == "4w" {
		return "28d"
	}
	if duration == "1w" {
		return "7d"
	}
	return Window(duration)
}

// target reads the share of good events, which OpenSLO writes as a ratio or in
// percent.
func (im *importer) target(n *yaml.Node) Percent {
	if percent := im.text(n, "targetPercent"); percent != "" {
		return Percent(percent)
	}
	node := im.get(n, "target")
	if node == nil {
		im.at(n, "spec.objectives", "holds neither target nor targetPercent")
		return ""
	}
	// Percent bounds the length: an exponent could ask for any number of digits.
	if _, ok := Percent(node.Value).Rat(); !ok && !ratioSyntax.MatchString(node.Value) {
		im.at(node, "spec.objectives[0].target", fmt.Sprintf("%q is not a ratio such as 0.999", node.Value))
		return ""
	}
	ratio, _ := new(big.Rat).SetString(node.Value)
	return Percent(decimal(ratio.Mul(ratio, big.NewRat(100, 1))))
}

// leftOver lists the keys that nobody read.
func (im *importer) leftOver(n *yaml.Node, path string) {
	if n.Kind == yaml.SequenceNode {
		for i, item := range n.Content {
			im.leftOver(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if !im.used[key] {
			im.dropped = append(im.dropped, fmt.Sprintf("%s:%d:%d: %s", im.file, key.Line, key.Column, at))
			continue
		}
		im.leftOver(n.Content[i+1], at)
	}
}
