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

// Reasons of notifications. A pager opens an incident for each group, updates it while the group changes, and
// closes it. Only Opened wakes someone.
const (
	Opened   Reason = "opened"   // the group got its first alert
	Changed  Reason = "changed"  // an alert joined or left the group
	Repeated Reason = "repeated" // nothing changed for repeat_interval
	Closed   Reason = "closed"   // the group has no alerts left
)

// Notification is one message to a receiver about a group of alerts.
type Notification struct {
	Receiver string
	Reason   Reason
	At       time.Time
	Group    labels.Labels // labels that all alerts of the group share
	Alerts   []Firing      // firing and not inhibited, sorted by name
}

// Notifications simulates an Alertmanager until a time and returns the notifications that it sends after
// inhibition, ordered by time.
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
	alerts []Firing // ordered by FiredAt
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

// Prometheus sends a resolved alert again each minute for 15 minutes, unless the alert fires again.
const (
	resendDelay = time.Minute
	resendFor   = 15 * time.Minute
)

// arrivals returns the times at which Alertmanager receives alerts of the group. Repeated messages about a
// firing alert change nothing and are left out.
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

// notifications flushes the group group_wait after its first alert, then each group_interval until it has no
// alerts left, and starts again with the next alert. The notification log is kept between these periods.
func (g *aggregate) notifications(r *Routing, history []Firing, until time.Time) []Notification {
	var out []Notification
	log, held := &entry{}, map[string]Firing{} // by labels, so that an alert that fires again is the same alert
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

// firstFlush returns when a new group is flushed: immediately if its first alert is old enough, such as one
// that Prometheus sends again.
func (g *aggregate) firstFlush(a arrival) time.Time {
	if a.f.FiredAt.Add(g.route.wait).Before(a.at) {
		return a.at
	}
	return a.at.Add(g.route.wait)
}

// heard returns the alerts of a group that are not inhibited. No notification is sent about an alert that
// resolves while it is inhibited, unless the inhibition ends while Prometheus still sends the resolved alert.
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

// byName sorts alerts by name, then by labels.
func byName(alerts []Firing) []Firing {
	slices.SortFunc(alerts, func(a, b Firing) int {
		return cmp.Or(cmp.Compare(a.Alert, b.Alert), labels.Compare(a.Labels, b.Labels))
	})
	return alerts
}

// entry is a group's entry in the notification log of Alertmanager: what was last sent.
type entry struct {
	sent             time.Time
	firing, resolved map[string]bool // by labels
}

// update decides whether to notify about the current alerts, as Alertmanager does for receivers with
// send_resolved, and records what is sent.
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
		return "" // the resolved alerts were never sent
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
