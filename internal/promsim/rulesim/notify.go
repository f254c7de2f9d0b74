package rulesim

import (
	"cmp"
	"maps"
	"slices"
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
	Alerts   []Firing      // what fires and is not inhibited, sorted by name
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

// How Prometheus tells of an end: again each minute for a quarter of an hour,
// unless the alert fires again.
const (
	resendDelay = time.Minute
	resendFor   = 15 * time.Minute
)

// arrivals are the times at which Alertmanager hears of the alerts of a group.
// That it hears of one that fires again and again changes nothing.
func (g *aggregate) arrivals(until time.Time) []arrival {
	var out []arrival
	again := map[string]time.Time{} // when an alert fires next, by labels
	for _, f := range slices.Backward(g.alerts) {
		key := f.Labels.String()
		out = append(out, arrival{f.FiredAt, f})
		for at := f.ResolvedAt; !f.ResolvedAt.IsZero() && !at.After(f.ResolvedAt.Add(resendFor)); at = at.Add(resendDelay) {
			if next, ok := again[key]; ok && !at.Before(next) {
				break
			}
			out = append(out, arrival{at, f})
		}
		again[key] = f.FiredAt
	}
	out = slices.DeleteFunc(out, func(a arrival) bool { return a.at.After(until) })
	slices.SortStableFunc(out, func(a, b arrival) int { return a.at.Compare(b.at) })
	return out
}

type arrival struct {
	at time.Time
	f  Firing
}

// notifications flushes the group group_wait after its first alert, then each
// group_interval until no alert is left in it, and begins again with the next.
// What was sent is remembered from one to the other.
func (g *aggregate) notifications(r *Routing, history []Firing, until time.Time) []Notification {
	var out []Notification
	log, held := &entry{}, map[string]Firing{} // by labels: an alert that fires again is one
	var next time.Time
	flushUntil := func(until time.Time) {
		for ; len(held) > 0 && !next.After(until); next = next.Add(g.route.interval) {
			firing, resolved := r.heard(held, firingAt(history, next), next)
			if reason, ok := log.update(firing, resolved, next, g.route.repeat); ok {
				out = append(out, Notification{g.route.receiver, reason, next, g.labels, byName(firing)})
			}
			maps.DeleteFunc(held, func(_ string, f Firing) bool { return !f.At(next) })
		}
	}
	for _, a := range g.arrivals(until) {
		flushUntil(a.at)
		if len(held) == 0 {
			next = g.firstFlush(a)
		}
		held[a.f.Labels.String()] = a.f
	}
	flushUntil(until)
	return out
}

// firstFlush is when the group that an alert begins is flushed: at once if the
// alert is old enough, as one is that Prometheus tells of again.
func (g *aggregate) firstFlush(a arrival) time.Time {
	if a.f.FiredAt.Add(g.route.wait).Before(a.at) {
		return a.at
	}
	return a.at.Add(g.route.wait)
}

// heard is what of a group is not inhibited. An alert that ends while it is
// inhibited ends unheard, unless the inhibition ends while Prometheus still tells
// of it.
func (r *Routing) heard(held map[string]Firing, everywhere []Firing, at time.Time) (firing, resolved []Firing) {
	for _, f := range held {
		switch {
		case r.inhibited(f.Labels, everywhere):
		case f.At(at):
			firing = append(firing, f)
		default:
			resolved = append(resolved, f)
		}
	}
	return firing, resolved
}

func firingAt(alerts []Firing, at time.Time) []Firing {
	return slices.DeleteFunc(slices.Clone(alerts), func(f Firing) bool { return !f.At(at) })
}

// byName sorts alerts by name, and those of one name by labels.
func byName(alerts []Firing) []Firing {
	slices.SortFunc(alerts, func(a, b Firing) int {
		return cmp.Or(cmp.Compare(a.Alert, b.Alert), labels.Compare(a.Labels, b.Labels))
	})
	return alerts
}

// entry is Alertmanager's notification log of a group: what was last sent.
type entry struct {
	sent             time.Time
	firing, resolved map[string]bool // by labels
}

// update decides whether to send what a group holds now, as Alertmanager does
// for receivers that also hear of ends, and notes what is sent.
func (e *entry) update(firing, resolved []Firing, at time.Time, repeat time.Duration) (Reason, bool) {
	reason := e.reason(firing, resolved, at, repeat)
	if reason == "" {
		return "", false
	}
	e.sent, e.firing, e.resolved = at, byLabels(firing), byLabels(resolved)
	return reason, true
}

func (e *entry) reason(firing, resolved []Firing, at time.Time, repeat time.Duration) Reason {
	switch {
	case len(firing)+len(resolved) == 0:
		return "" // all inhibited
	case !knows(e.firing, firing) && len(e.firing) == 0:
		return Opened
	case !knows(e.firing, firing):
		return Changed
	case len(firing) == 0 && len(e.firing) > 0:
		return Closed
	case len(firing) == 0:
		return "" // nobody heard of what has ended
	case !knows(e.resolved, resolved):
		return Changed
	case at.Sub(e.sent) > repeat:
		return Repeated
	}
	return ""
}

func knows(sent map[string]bool, alerts []Firing) bool {
	return !slices.ContainsFunc(alerts, func(f Firing) bool { return !sent[f.Labels.String()] })
}

func byLabels(alerts []Firing) map[string]bool {
	out := make(map[string]bool, len(alerts))
	for _, f := range alerts {
		out[f.Labels.String()] = true
	}
	return out
}
