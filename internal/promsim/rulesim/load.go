package rulesim

import (
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// DefaultInterval is the evaluation interval of groups without one: the default of Prometheus' global
// evaluation_interval.
const DefaultInterval = time.Minute

// Group is a list of rules that are evaluated together, in order.
type Group struct {
	File, Name  string
	Interval    time.Duration // positive
	QueryOffset time.Duration // how far evaluations are shifted into the past
	Limit       int           // maximum series per rule; 0 is no limit
	Rules       []Rule
}

// Rule is a recording rule or an alert.
type Rule struct {
	Name    string // of the record or the alert
	IsAlert bool
	Expr    string

	For, KeepFiringFor time.Duration // only for alerts
	// Labels are set on the results; an empty value removes the label. In alerts the values are templates.
	Labels      labels.Labels
	Annotations labels.Labels // templates
}

// Load parses a rule file as Prometheus does. The error is a [diagnostic.List] of all problems in the file.
func Load(name string, data []byte) ([]Group, error) {
	// The messages of rulefmt quote the file.
	if err := yamldoc.Expect(data, "groups:"); err != nil {
		return nil, diagnostic.List{{File: name, Message: err.Error()}}.Err()
	}
	file, problems := rulefmt.Parse(data, false, model.UTF8Validation, newParser(), slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		return nil, problemsOf(name, problems)
	}
	groups := make([]Group, 0, len(file.Groups))
	for _, g := range file.Groups {
		groups = append(groups, newGroup(name, g))
	}
	return groups, nil
}

// position matches the position prefix of rulefmt and yaml errors.
var position = regexp.MustCompile(`^(?:yaml: line )?(\d+):(?:(\d+):)? `)

func problemsOf(name string, errs []error) error {
	var out diagnostic.List
	for _, err := range errs {
		p := diagnostic.Problem{File: name, Message: err.Error()}
		if m := position.FindStringSubmatch(p.Message); m != nil {
			p.Message = p.Message[len(m[0]):]
			p.Line, _ = strconv.Atoi(m[1])
			p.Column, _ = strconv.Atoi(m[2])
		}
		if !slices.Contains(out, p) { // yaml reports errors twice
			out = append(out, p)
		}
	}
	return out.Err()
}

func newGroup(file string, g rulefmt.RuleGroup) Group {
	out := Group{File: file, Name: g.Name, Interval: time.Duration(g.Interval), Limit: g.Limit}
	if out.Interval <= 0 {
		out.Interval = DefaultInterval
	}
	if g.QueryOffset != nil {
		out.QueryOffset = time.Duration(*g.QueryOffset)
	}
	for _, r := range g.Rules {
		own := maps.Clone(g.Labels)
		if own == nil {
			own = map[string]string{}
		}
		maps.Copy(own, r.Labels)
		out.Rules = append(out.Rules, Rule{
			Name: r.Record + r.Alert, IsAlert: r.Alert != "", Expr: r.Expr,
			For: time.Duration(r.For), KeepFiringFor: time.Duration(r.KeepFiringFor),
			Labels: labels.FromMap(own), Annotations: labels.FromMap(r.Annotations),
		})
	}
	return out
}

func newParser() parser.Parser { return parser.NewParser(parser.Options{}) }
