package rulesim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

const routing = `
route:
  receiver: default
  routes:
  - receiver: page
    matchers: ['severity="critical"']
    group_by: [service]
    group_wait: 10s
    group_interval: 1m
    repeat_interval: 5m
receivers: [{name: default}, {name: page}]
inhibit_rules:
- source_matchers: ['alertname="Fast"']
  target_matchers: ['alertname=~"Fast|Slow"']
  equal: [service]
- source_match: {alertname: Elsewhere}
  target_match_re: {alertname: Sl.w}
  equal: [service]
`

// fired returns an alert that fires between two minutes; to 0 means that it does not resolve.
func fired(name, severity, service string, from, to float64) rulesim.Firing {
	f := rulesim.Firing{
		Alert: name, FiredAt: at(minutes(from)),
		Labels: labels.FromStrings("alertname", name, "severity", severity, "service", service),
	}
	if to > 0 {
		f.ResolvedAt = at(minutes(to))
	}
	return f
}

func minutes(m float64) time.Duration { return time.Duration(m * float64(time.Minute)) }

func TestNotifications(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		history []rulesim.Firing
		want    []string
	}{
		{
			"an alert opens its group and closes it",
			[]rulesim.Firing{fired("Slow", "critical", "a", 1, 3)},
			[]string{"1m10s page opened Slow", "3m10s page closed "},
		},
		{
			"an alert that resolves within group_wait is not sent",
			[]rulesim.Firing{fired("Slow", "critical", "a", 1, 1.1)},
			nil,
		},
		{
			"an inhibited alert is not sent until the inhibiting alert resolves",
			[]rulesim.Firing{fired("Fast", "critical", "a", 1, 3), fired("Slow", "critical", "a", 2, 4)},
			[]string{"1m10s page opened Fast", "3m10s page changed Slow", "4m10s page closed "},
		},
		{
			"an alert does not inhibit itself",
			[]rulesim.Firing{fired("Fast", "critical", "a", 1, 2)},
			[]string{"1m10s page opened Fast", "2m10s page closed "},
		},
		{
			"another service is a separate group and is not inhibited",
			[]rulesim.Firing{fired("Fast", "critical", "a", 1, 2), fired("Slow", "critical", "b", 1, 2)},
			[]string{"1m10s page opened Fast", "1m10s page opened Slow", "2m10s page closed ", "2m10s page closed "},
		},
		{
			"a lasting alert is repeated",
			[]rulesim.Firing{fired("Fast", "critical", "a", 1, 0)},
			[]string{"1m10s page opened Fast", "7m10s page repeated Fast"}, // after more than repeat_interval
		},
		{
			"a second incident opens the group again",
			[]rulesim.Firing{fired("Fast", "critical", "a", 1, 2), fired("Fast", "critical", "a", 6, 7)},
			[]string{"1m10s page opened Fast", "2m10s page closed ", "6m10s page opened Fast", "7m10s page closed "},
		},
		{
			"a slow page changes the group that the fast page opened and does not open it again",
			[]rulesim.Firing{fired("Fast", "critical", "a", 1, 3), fired("Slow", "critical", "a", 1.5, 6)},
			[]string{"1m10s page opened Fast", "3m10s page changed Slow", "6m10s page closed "},
		},
		{
			"one resolved alert of several changes the group",
			[]rulesim.Firing{fired("Other", "critical", "a", 1, 0), fired("Slow", "critical", "a", 1, 3)},
			[]string{"1m10s page opened Other,Slow", "3m10s page changed Other", "9m10s page repeated Other"},
		},
		{
			"an alert that is inhibited later is not sent again after the inhibition",
			[]rulesim.Firing{fired("Slow", "critical", "a", 1, 6), fired("Elsewhere", "warning", "a", 2, 4)},
			[]string{"1m10s page opened Slow", "2m30s default opened Elsewhere", "6m10s page closed ", "7m30s default closed "},
		},
		{
			"an alert that resolves while inhibited is not sent",
			[]rulesim.Firing{fired("Slow", "critical", "a", 1, 3), fired("Elsewhere", "warning", "a", 2, 0)},
			[]string{"1m10s page opened Slow", "2m30s default opened Elsewhere"},
		},
		{
			"a resolved alert is sent if the inhibition ends while Prometheus still sends it",
			[]rulesim.Firing{fired("Slow", "critical", "a", 1, 3), fired("Elsewhere", "warning", "a", 2, 5.5)},
			[]string{"1m10s page opened Slow", "2m30s default opened Elsewhere", "6m0s page closed ", "7m30s default closed "},
		},
		{
			"an alert that matches no route goes to the root with the default group_wait",
			[]rulesim.Firing{fired("Ticket", "warning", "a", 1, 2)},
			[]string{"1m30s default opened Ticket", "6m30s default closed "},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, err := rulesim.ParseRouting([]byte(routing))
			check(t, err)
			var got []string
			for _, n := range r.Notifications(tc.history, at(10*time.Minute)) {
				got = append(got, n.At.Sub(at(0)).String()+" "+n.Receiver+" "+string(n.Reason)+" "+strings.Join(names(n), ","))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestContinueAlsoTakesTheNextRoute(t *testing.T) {
	t.Parallel()
	r, err := rulesim.ParseRouting([]byte(`
route:
  receiver: default
  group_by: ['...']
  routes:
  - {receiver: first, matchers: ['severity="critical"'], continue: true}
  - {receiver: second, matchers: ['severity!="warning"']}
  - {receiver: third}
`))
	check(t, err)
	var got []string
	for _, n := range r.Notifications([]rulesim.Firing{fired("A", "critical", "a", 0, 0)}, at(time.Minute)) {
		got = append(got, n.Receiver)
	}
	if diff := cmp.Diff([]string{"first", "second"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRoutingRejectsWhatItDoesNotSimulate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, src, want string }{
		{"no receiver", "route: {}", "route.receiver is missing"},
		{"not YAML", "route: [", "alertmanager file"},
		{"matchers at the root", "route: {receiver: a, match: {a: b}}", "move its matchers to a route below"},
		{"continue at the root", "route: {receiver: a, continue: true}", "remove continue"},
		{"an invalid regular expression", "route: {receiver: a, routes: [{match_re: {a: '('}}]}", "routes[0]: a=~(: error parsing regexp: missing closing )"},
		{"all labels and another one", "route: {receiver: a, group_by: [..., b]}", "... alone means all"},
		{"time intervals", "route: {receiver: a, mute_time_intervals: [x]}", "mute_time_intervals is not simulated"},
		{"an invalid matcher", "route: {receiver: a, routes: [{matchers: [a]}]}", `write it as name="value"`},
		{"an invalid inhibition rule", "route: {receiver: a}\ninhibit_rules: [{source_matchers: [a]}]", "inhibit_rules[0]: matcher a"},
		{"zero repeat_interval", "route: {receiver: a, repeat_interval: 0s}", "repeat_interval is not positive"},
		{"zero group_interval", "route: {receiver: a, group_interval: 0s}", "group_interval is not positive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := rulesim.ParseRouting([]byte(tc.src))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestMatchersParseAsInAlertmanager(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, matches, misses string }{ // values of the label team, separated by |
		{"a value in quotes", `team="a b"`, "a b", "a"},
		{"a value without quotes", `team=checkout`, "checkout", "other"},
		{"surrounding spaces", ` team = checkout `, "checkout", "other"},
		{"not equal", `team!=a`, "b", "a"},
		{"a regular expression is anchored", `team=~check.*`, "checkout", "recheckout"},
		{"a negated regular expression", `team!~"a|b"`, "c", "a|b"},
		{"two matchers", `team=~"a.*", team!=ab`, "ac", "ab"},
		{"a comma in quotes", `team="a,b"`, "a,b", "a"},
		{"braces and a trailing comma", `{team="a",}`, "a", "b"},
		{"escapes", `team="a\"b\\n"`, `a"b\n`, "a"},
		{"a literal backslash", `team=a\d`, `a\d`, "ad"},
		{"an empty value", `team=`, "", "a"},
		{"a quoted name", `"team"=a`, "a", "b"},
		{"a non-ASCII name that no alert has", `täm!=""`, "", "a|b"},
		{"no matcher", ``, "a|b", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			src, err := json.Marshal(map[string]any{"route": map[string]any{
				"receiver": "misses", "routes": []any{map[string]any{"receiver": "matches", "matchers": []string{tc.text}}},
			}})
			check(t, err)
			r, err := rulesim.ParseRouting(src)
			check(t, err)
			for want, values := range map[string]string{"matches": tc.matches, "misses": tc.misses} {
				for value := range strings.SplitSeq(values, "|") {
					if value == "" && tc.text != `team=` {
						continue
					}
					history := []rulesim.Firing{{Labels: labels.FromStrings("alertname", "A", "team", value), FiredAt: at(0)}}
					got := r.Notifications(history, at(time.Minute))
					if len(got) != 1 || got[0].Receiver != want {
						t.Errorf("team %q is in %v, want %s", value, got, want)
					}
				}
			}
		})
	}
}

func FuzzParseRouting(f *testing.F) {
	f.Add([]byte(routing))
	f.Add([]byte("route: {receiver: a, routes: [{matchers: ['a=\"}\"']}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := rulesim.ParseRouting(data)
		if err != nil {
			return
		}
		history := []rulesim.Firing{fired("A", "critical", "a", 0, 1)}
		for _, n := range r.Notifications(history, at(2*time.Second)) {
			if n.Receiver == "" {
				t.Error("a notification without a receiver")
			}
		}
	})
}

// names returns the alert names of a notification.
func names(n rulesim.Notification) []string {
	var out []string
	for _, f := range n.Alerts {
		out = append(out, f.Alert)
	}
	return out
}
