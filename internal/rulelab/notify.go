package rulelab

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Reason is why a notification is sent.
type Reason string

// The reasons. A pager opens an incident for each group, updates it while the
// group changes, and closes it: so Opened is what wakes somebody.
const (
	Opened   Reason = "opened"   // the first alert of a group
	Changed  Reason = "changed"  // an alert joined the group or left it
	Repeated Reason = "repeated" // nothing changed for repeat_interval
	Closed   Reason = "closed"   // no alert of the group is left
)

// Notification is one message to a receiver about a group of alerts.
type Notification struct {
	Receiver string
	Reason   Reason
	At       time.Time
	Group    labels.Labels // the labels that the group shares
	Alerts   []string      // names of what fires and is not inhibited, sorted
}

// Notifications simulates an Alertmanager up to a time: which groups of alerts
// are sent where, after inhibition. They are sorted by time.
func (r *Routing) Notifications(history []Firing, until time.Time) []Notification {
	var out []Notification
	for _, g := range r.aggregate(history) {
		out = append(out, g.notifications(r, history, until)...)
	}
	slices.SortStableFunc(out, func(a, b Notification) int { return a.At.Compare(b.At) })
	return out
}

// aggregate is the alerts of one route that share the labels of its group_by.
type aggregate struct {
	route  *route
	labels labels.Labels
	alerts []Firing // in the order of FiredAt
}

func (r *Routing) aggregate(history []Firing) []*aggregate {
	type key struct {
		route  *route
		labels string
	}
	index := map[key]*aggregate{}
	var out []*aggregate
	for _, f := range history {
		for _, to := range r.root.receivers(f.Labels) {
			shared := to.shared(f.Labels)
			k := key{to, shared.String()}
			if index[k] == nil {
				index[k] = &aggregate{route: to, labels: shared}
				out = append(out, index[k])
			}
			index[k].alerts = append(index[k].alerts, f)
		}
	}
	for _, g := range out {
		slices.SortStableFunc(g.alerts, func(a, b Firing) int { return a.FiredAt.Compare(b.FiredAt) })
	}
	return out
}

func (r *route) shared(l labels.Labels) labels.Labels {
	if slices.Contains(r.groupBy, groupByAll) {
		return l
	}
	b := labels.NewScratchBuilder(len(r.groupBy))
	for _, name := range r.groupBy {
		if v := l.Get(name); v != "" {
			b.Add(name, v)
		}
	}
	b.Sort()
	return b.Labels()
}

// notifications flushes the group group_wait after its first alert, then each
// group_interval until nothing in it fires, and begins again with the next.
func (g *aggregate) notifications(r *Routing, history []Firing, until time.Time) []Notification {
	var out []Notification
	var log entry
	var flushed time.Time
	for _, first := range g.alerts {
		if !first.FiredAt.After(flushed) && !flushed.IsZero() {
			continue // was there at an earlier flush
		}
		for at := first.FiredAt.Add(g.route.wait); !at.After(until); at = at.Add(g.route.interval) {
			flushed = at
			live := firingAt(g.alerts, at)
			loud := slices.DeleteFunc(slices.Clone(live), func(f Firing) bool {
				return r.inhibited(f.Labels, firingAt(history, at))
			})
			if reason, ok := log.update(loud, at, g.route.repeat); ok {
				out = append(out, Notification{g.route.receiver, reason, at, g.labels, names(loud)})
			}
			if len(live) == 0 {
				break
			}
		}
	}
	return out
}

func firingAt(alerts []Firing, at time.Time) []Firing {
	return slices.DeleteFunc(slices.Clone(alerts), func(f Firing) bool { return !f.At(at) })
}

func names(alerts []Firing) []string {
	var out []string
	for _, f := range alerts {
		out = append(out, f.Alert)
	}
	slices.Sort(out)
	return out
}

// entry is what was last sent about a group.
type entry struct {
	sent time.Time
	keys []string
}

// update decides whether to send what fires now, as Alertmanager's notification
// log does.
func (e *entry) update(loud []Firing, at time.Time, repeat time.Duration) (Reason, bool) {
	keys := make([]string, 0, len(loud))
	for _, f := range loud {
		keys = append(keys, f.Labels.String())
	}
	slices.Sort(keys)
	reason := e.reason(keys, at, repeat)
	if reason == "" {
		return "", false
	}
	e.sent, e.keys = at, keys
	return reason, true
}

func (e *entry) reason(keys []string, at time.Time, repeat time.Duration) Reason {
	same := strings.Join(keys, "\n") == strings.Join(e.keys, "\n")
	switch {
	case same && (len(keys) == 0 || at.Sub(e.sent) < repeat):
		return ""
	case same:
		return Repeated
	case len(e.keys) == 0:
		return Opened
	case len(keys) == 0:
		return Closed
	default:
		return Changed
	}
}
