package rulelint

import (
	"context"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// alert runs the rules for alerts.
func (l *linter) alert(p place) {
	if !conditional(p.Tree) {
		l.add(p.finding("alert-comparison", 0, "the alert has no condition and fires as long as %s exists; compare with a bound", p.Tree))
	}
	l.waits(p)
	l.texts(p)
	for _, key := range slices.Sorted(maps.Keys(p.Annotations)) {
		l.template(p, "annotations."+key, p.Annotations[key])
	}
	for _, key := range slices.Sorted(maps.Keys(p.Labels)) {
		l.template(p, "labels."+key, p.Labels[key])
	}
}

// conditional reports whether a result depends on more than the existence of series. A constant
// is an alert that always fires on purpose, to monitor alerting.
func conditional(tree parser.Expr) bool {
	constant, found := true, false
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			constant = false
			if name := n.Name; name == "ALERTS" || name == "ALERTS_FOR_STATE" {
				found = true
			}
		case *parser.BinaryExpr:
			found = found || n.Op == parser.LUNLESS || n.Op.IsComparisonOperator() && !n.ReturnBool
		case *parser.Call:
			found = found || strings.HasPrefix(n.Func.Name, "absent")
		}
		return nil
	})
	return found || constant
}

func (l *linter) waits(p place) {
	if p.group.Interval == 0 {
		return
	}
	for key, d := range map[string]time.Duration{"for": p.For, "keep_firing_for": p.KeepFiringFor} {
		if d > 0 && d < p.group.Interval {
			l.add(p.text("alert-for", key, "%s: %s is shorter than the group's interval %s and waits for one evaluation; write %s or longer",
				key, model.Duration(d), model.Duration(p.group.Interval), model.Duration(p.group.Interval)))
		}
	}
}

func (l *linter) texts(p place) {
	lacks := func(key string) bool { return strings.TrimSpace(p.Annotations[key]) == "" }
	switch missing := slices.DeleteFunc([]string{"summary", "description"}, func(key string) bool { return !lacks(key) }); len(missing) {
	case 0:
	case 1:
		l.add(p.named("alert-annotations", "the alert has no annotation %s; add it", missing[0]))
	default:
		l.add(p.named("alert-annotations", "the alert has no annotations %s; add them", strings.Join(missing, " and ")))
	}
	// A separate finding, so that baselines still match the one above.
	if l.Runbooks && lacks("runbook_url") {
		l.add(p.named("alert-annotations", "the alert has no runbook_url, but other alerts have one; add it"))
	}
}

// definitions is the text that Prometheus puts before each template of an alert.
const definitions = `{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}`

// template checks a text with Prometheus's parser, then the labels that it reads.
func (l *linter) template(p place, key, text string) {
	if !strings.Contains(text, "{{") {
		return
	}
	data := template.AlertTemplateData(map[string]string{}, map[string]string{}, "", promql.Sample{})
	err := template.NewTemplateExpander(context.Background(), definitions+text, "text", data, model.Time(0), nil, nil, nil).ParseTest()
	if err != nil {
		message := err.Error()
		if _, rest, found := strings.Cut(message, "template: text:"); found {
			_, message, _ = strings.Cut(rest, ": ")
		}
		l.add(p.text("alert-template", key, "%s: invalid template: %s", key, message))
		return
	}
	trees := map[string]*parse.Tree{}
	t := parse.New("text")
	t.Mode = parse.SkipFuncCheck
	if _, err := t.Parse(definitions+text, "", "", trees); err != nil || t.Root == nil {
		return
	}
	l.readLabels(p, key, t.Root)
}

// readLabels finds labels that the result cannot have, and labels that are formatted as numbers.
func (l *linter) readLabels(p place, key string, root parse.Node) {
	reported := map[string]bool{}
	warn := func(warning bool, format string, args ...any) {
		f := p.text("alert-template", key, format, args...)
		if f.Warning = warning; !reported[f.Message] {
			l.add(f)
		}
		reported[f.Message] = true
	}
	tested := testedLabels(root)
	walk(root, true, func(n parse.Node, dotIsAlert bool) {
		if label := labelRead(n, dotIsAlert); label != "" && l.Known != nil {
			if names, closed := l.Known.LabelsOf(p.Tree); closed && !slices.Contains(names, label) {
				warn(tested[label] || l.Known.LabelsMayBeAdded(p.Tree), "%s reads $labels.%s, but the expression's result has no such label%s", key, label, listed(names))
			}
		}
		pipe, ok := n.(*parse.PipeNode)
		if !ok || len(pipe.Cmds) < 2 || len(pipe.Cmds[0].Args) != 1 {
			return
		}
		label := labelRead(pipe.Cmds[0].Args[0], dotIsAlert)
		function := pipe.Cmds[1].Args[0].String()
		if label != "" && label != semconv.LabelLessOrEqual && label != semconv.LabelQuantile && strings.HasPrefix(function, "humanize") {
			// A warning, since a label may be a number.
			warn(true, "%s passes $labels.%s to %s, which formats numbers; use $value", key, label, function)
		}
	})
}

// testedLabels returns the labels that a template tests, as in {{ if $labels.x }}, since it has
// another text for alerts without them.
func testedLabels(root parse.Node) map[string]bool {
	tested := map[string]bool{}
	collect := func(n parse.Node, dotIsAlert bool) {
		walk(n, dotIsAlert, func(n parse.Node, dotIsAlert bool) {
			if label := labelRead(n, dotIsAlert); label != "" {
				tested[label] = true
			}
		})
	}
	walk(root, true, func(n parse.Node, dotIsAlert bool) {
		switch n := n.(type) {
		case *parse.IfNode:
			collect(n.Pipe, dotIsAlert)
		case *parse.WithNode:
			collect(n.Pipe, dotIsAlert)
		case *parse.CommandNode:
			if name := n.Args[0].String(); name == "or" || name == "and" {
				collect(n, dotIsAlert)
			}
		}
	})
	return tested
}

func listed(names []string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return n == model.MetricNameLabel || strings.HasPrefix(n, model.ExportedLabelPrefix)
	})
	if len(names) == 0 {
		return "; it has none"
	}
	return "; it has " + strings.Join(names, ", ")
}

// labelRead returns the label that $labels.x, $.Labels.x or, if the dot is the alert, .Labels.x
// reads.
func labelRead(n parse.Node, dotIsAlert bool) string {
	var path []string
	switch n := n.(type) {
	case *parse.VariableNode:
		if path = n.Ident; path[0] == "$" {
			path = path[1:]
		}
	case *parse.FieldNode:
		if dotIsAlert {
			path = n.Ident
		}
	}
	if len(path) == 2 && (path[0] == "$labels" || path[0] == "Labels") {
		return path[1]
	}
	return ""
}

// walk visits all nodes of a template. The dot is not the alert inside range and with.
func walk(n parse.Node, dotIsAlert bool, visit func(n parse.Node, dotIsAlert bool)) {
	branch := func(b *parse.BranchNode, dotInside bool) {
		walk(b.Pipe, dotIsAlert, visit)
		walk(b.List, dotInside, visit)
		if b.ElseList != nil {
			walk(b.ElseList, dotIsAlert, visit)
		}
	}
	visit(n, dotIsAlert)
	switch n := n.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			walk(child, dotIsAlert, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, dotIsAlert, visit)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, dotIsAlert, visit)
		}
	case *parse.IfNode:
		branch(&n.BranchNode, dotIsAlert)
	case *parse.RangeNode:
		branch(&n.BranchNode, false)
	case *parse.WithNode:
		branch(&n.BranchNode, false)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			walk(c, dotIsAlert, visit)
		}
	case *parse.CommandNode:
		for _, a := range n.Args {
			walk(a, dotIsAlert, visit)
		}
	}
}
