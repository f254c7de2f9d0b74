package rulesim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	alertmanager "github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// Defaults of a route, as in Alertmanager.
const (
	defaultGroupWait      = 30 * time.Second
	defaultGroupInterval  = 5 * time.Minute
	defaultRepeatInterval = 4 * time.Hour
)

// groupByAll in group_by puts each alert into a separate group.
const groupByAll = "..."

// Routing is the routes and inhibition rules of an Alertmanager file. Silences, time intervals and receiver
// settings are not included.
type Routing struct {
	root        *route
	inhibitions []inhibition
}

// Default returns the receiver of alerts that match no child route.
func (r *Routing) Default() string { return r.root.receiver }

type route struct {
	receiver               string
	matchers               matchers
	continues              bool
	groupBy                []string
	wait, interval, repeat time.Duration
	routes                 []*route
}

type inhibition struct {
	source, target matchers
	equal          []string
}

type matchers []*alertmanager.Matcher

func (ms matchers) match(l labels.Labels) bool {
	return !slices.ContainsFunc(ms, func(m *alertmanager.Matcher) bool { return !m.Matches(l.Get(m.Name)) })
}

type routingFile struct {
	Route        *routeFile       `yaml:"route"`
	Receivers    []receiverFile   `yaml:"receivers"`
	InhibitRules []inhibitionFile `yaml:"inhibit_rules"`
}

type receiverFile struct {
	Name string `yaml:"name"`
}

type routeFile struct {
	Receiver       string            `yaml:"receiver"`
	Matchers       []string          `yaml:"matchers"`
	Match          map[string]string `yaml:"match"`
	MatchRE        map[string]string `yaml:"match_re"`
	Mute           yaml.Node         `yaml:"mute_time_intervals"`
	Active         yaml.Node         `yaml:"active_time_intervals"`
	Continue       bool              `yaml:"continue"`
	GroupBy        []string          `yaml:"group_by"`
	GroupWait      *model.Duration   `yaml:"group_wait"`
	GroupInterval  *model.Duration   `yaml:"group_interval"`
	RepeatInterval *model.Duration   `yaml:"repeat_interval"`
	Routes         []routeFile       `yaml:"routes"`
}

type inhibitionFile struct {
	SourceMatchers []string          `yaml:"source_matchers"`
	TargetMatchers []string          `yaml:"target_matchers"`
	SourceMatch    map[string]string `yaml:"source_match"`
	SourceMatchRE  map[string]string `yaml:"source_match_re"`
	TargetMatch    map[string]string `yaml:"target_match"`
	TargetMatchRE  map[string]string `yaml:"target_match_re"`
	Equal          []string          `yaml:"equal"`
}

// ParseRouting parses an Alertmanager file. Settings that would change who is notified, but are not
// simulated, are errors.
func ParseRouting(data []byte) (*Routing, error) {
	if err := yamldoc.Expect(data, "route:"); err != nil {
		return nil, fmt.Errorf("alertmanager file: %w", err)
	}
	var file routingFile
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("alertmanager file: %w", err)
	}
	if file.Route == nil || file.Route.Receiver == "" {
		return nil, errors.New("alertmanager file: route.receiver is missing; every alert needs somebody")
	}
	if err := file.Route.mustBeRoot(); err != nil {
		return nil, fmt.Errorf("alertmanager file: route: %w", err)
	}
	root, err := file.Route.build(&route{wait: defaultGroupWait, interval: defaultGroupInterval, repeat: defaultRepeatInterval})
	if err != nil {
		return nil, fmt.Errorf("alertmanager file: route: %w", err)
	}
	if missing := root.unknownReceiver(file.Receivers); missing != "" {
		return nil, fmt.Errorf("alertmanager file: route: there is no receiver %q", missing)
	}
	out := &Routing{root: root}
	for i, f := range file.InhibitRules {
		rule, err := f.build()
		if err != nil {
			return nil, fmt.Errorf("alertmanager file: inhibit_rules[%d]: %w", i, err)
		}
		out.inhibitions = append(out.inhibitions, rule)
	}
	return out, nil
}

// unknownReceiver returns the first receiver that a route uses and the file does not define. A file without
// receivers is a fragment; it is not checked.
func (r *route) unknownReceiver(known []receiverFile) string {
	if len(known) == 0 {
		return ""
	}
	if !slices.Contains(known, receiverFile{r.receiver}) {
		return r.receiver
	}
	for _, child := range r.routes {
		if missing := child.unknownReceiver(known); missing != "" {
			return missing
		}
	}
	return ""
}

// mustBeRoot rejects what Alertmanager rejects in the root route, which takes all alerts that match no other
// route.
func (f routeFile) mustBeRoot() error {
	switch {
	case len(f.Matchers)+len(f.Match)+len(f.MatchRE) > 0:
		return errors.New("the root takes every alert; move its matchers to a route below")
	case f.Continue:
		return errors.New("nothing follows the root; remove continue")
	}
	return nil
}

// build returns the route with settings inherited from its parent.
func (f routeFile) build(parent *route) (*route, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	ms, err := allMatchers(f.Matchers, f.Match, f.MatchRE)
	if err != nil {
		return nil, err
	}
	r := &route{
		receiver: f.Receiver, matchers: ms, continues: f.Continue, groupBy: f.GroupBy,
		wait: inherit(f.GroupWait, parent.wait), interval: inherit(f.GroupInterval, parent.interval),
		repeat: inherit(f.RepeatInterval, parent.repeat),
	}
	if r.receiver == "" {
		r.receiver = parent.receiver
	}
	if r.groupBy == nil {
		r.groupBy = parent.groupBy
	}
	for i, child := range f.Routes {
		built, err := child.build(r)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		r.routes = append(r.routes, built)
	}
	return r, nil
}

func (f routeFile) validate() error {
	for key, node := range map[string]yaml.Node{"mute_time_intervals": f.Mute, "active_time_intervals": f.Active} {
		if !node.IsZero() {
			return fmt.Errorf("%s is not simulated; remove it from the copy that is tested", key)
		}
	}
	for key, d := range map[string]*model.Duration{"group_interval": f.GroupInterval, "repeat_interval": f.RepeatInterval} {
		if d != nil && *d <= 0 {
			return fmt.Errorf("%s is not positive", key)
		}
	}
	if slices.Contains(f.GroupBy, groupByAll) && len(f.GroupBy) > 1 {
		return errors.New("group_by holds ... and other labels; ... alone means all")
	}
	return nil
}

// allMatchers joins the three ways to write matchers; match and match_re are from Alertmanager before 0.22.
func allMatchers(texts []string, equal, regex map[string]string) (matchers, error) {
	out, err := parseMatchers(texts)
	if err != nil {
		return nil, err
	}
	for op, pairs := range map[alertmanager.MatchType]map[string]string{alertmanager.MatchEqual: equal, alertmanager.MatchRegexp: regex} {
		for name, value := range pairs {
			m, err := alertmanager.NewMatcher(op, name, value)
			if err != nil {
				return nil, fmt.Errorf("%s%s%s: %w", name, op, value, err)
			}
			out = append(out, m)
		}
	}
	return out, nil
}

func inherit(d *model.Duration, parent time.Duration) time.Duration {
	if d == nil {
		return parent
	}
	return time.Duration(*d)
}

func (f inhibitionFile) build() (inhibition, error) {
	source, err := allMatchers(f.SourceMatchers, f.SourceMatch, f.SourceMatchRE)
	if err != nil {
		return inhibition{}, err
	}
	target, err := allMatchers(f.TargetMatchers, f.TargetMatch, f.TargetMatchRE)
	return inhibition{source, target, f.Equal}, err
}

// receivers returns the routes that an alert takes.
func (r *route) receivers(l labels.Labels) []*route {
	if !r.matchers.match(l) {
		return nil
	}
	var out []*route
	for _, child := range r.routes {
		found := child.receivers(l)
		out = append(out, found...)
		if len(found) > 0 && !child.continues {
			break
		}
	}
	if len(out) == 0 {
		out = append(out, r)
	}
	return out
}

// inhibited reports whether a firing alert inhibits the target. Two alerts that both match both sides of an
// inhibition rule do not inhibit each other.
func (r *Routing) inhibited(target labels.Labels, firing []Firing) bool {
	for _, rule := range r.inhibitions {
		if !rule.target.match(target) {
			continue
		}
		both := rule.source.match(target)
		for _, f := range firing {
			if rule.source.match(f.Labels) && rule.same(f.Labels, target) && (!both || !rule.target.match(f.Labels)) {
				return true
			}
		}
	}
	return false
}

func (i inhibition) same(a, b labels.Labels) bool {
	return !slices.ContainsFunc(i.equal, func(name string) bool { return a.Get(name) != b.Get(name) })
}
