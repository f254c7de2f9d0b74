package slo_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/slo"
)

// The reference was measured with windows over raw counters, at 99.9 % over 30 days,
// 100 requests per second and scrapes every 15 s. An alert may be later than the closed
// form by a scrape and an evaluation, but not earlier.
func TestDetectionsMatchTheMeasuredReference(t *testing.T) {
	t.Parallel()
	minutes := func(m float64) time.Duration { return time.Duration(m * float64(time.Minute)) }
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	type row struct{ on, off time.Duration }
	never := row{}
	reference := map[float64][4]row{
		0.002: {never, never, never, {hours(36.01), hours(3)}},
		0.01:  {never, {hours(3.61), minutes(12.4)}, {hours(7.21), hours(1.4)}, {hours(7.21), hours(5.4)}},
		0.1:   {{minutes(8.9), minutes(4.4)}, {minutes(21.9), minutes(28.4)}, {minutes(43.4), hours(1.94)}, {minutes(43.4), hours(5.94)}},
		0.5:   {{minutes(1.9), minutes(4.9)}, {minutes(4.4), minutes(29.9)}, {minutes(8.9), hours(1.99)}, {minutes(8.9), hours(5.99)}},
		1:     {{minutes(0.9), minutes(4.9)}, {minutes(2.4), minutes(29.9)}, {minutes(4.4), hours(2)}, {minutes(4.4), hours(6)}},
	}
	rules := mustCompile(t, minimal)
	for ratio, want := range reference {
		detections := rules.Detections(ratio)
		if len(detections) != 4 {
			t.Fatalf("%d detections, want 4", len(detections))
		}
		for i, d := range detections {
			if d.Fires != (want[i] != never) {
				t.Errorf("%g %%: %s fires: %t", ratio*100, d.Pair.LongWindow(), d.Fires)
			}
			// The reference is printed in minutes or hours with one or two digits.
			slack := rules.Delay(d.Pair.Tier) + time.Minute
			if d.Fires && (d.FiresAfter > want[i].on+30*time.Second || d.FiresAfter < want[i].on-slack) {
				t.Errorf("%g %%: %s fires after %s, measured %s", ratio*100, d.Pair.LongWindow(), d.FiresAfter, want[i].on)
			}
			if d.Fires && (d.ResolvesAfter-want[i].off).Abs() > slack {
				t.Errorf("%g %%: %s resolves after %s, measured %s", ratio*100, d.Pair.LongWindow(), d.ResolvesAfter, want[i].off)
			}
		}
	}
}

func TestDelayIsOffsetScrapeAndEvaluation(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, minimal)
	if got, want := rules.Delay(slo.TierPage), time.Minute; got != want {
		t.Errorf("page delay %s, want %s", got, want)
	}
	if got, want := rules.Delay(slo.TierTicket), 150*time.Second; got != want {
		t.Errorf("ticket delay %s, want %s", got, want)
	}
}

func TestMinTraffic(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		src  string
		want float64
		ok   bool
	}{
		"five bad events within nine minutes": {minimal, 30, true},
		"no guard needs one bad event":        {strings.Replace(minimal, "99.9,", "99.9, minBadEvents: 0,", 1), 1 / (9 * time.Minute).Hours(), true},
		"an objective that pages too late":    {strings.Replace(minimal, "99.9,", "94,", 1), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := mustCompile(t, test.src).MinTraffic("availability")
			if ok != test.ok || got != test.want {
				t.Errorf("%v %t, want %v %t", got, ok, test.want, test.ok)
			}
		})
	}
	if _, ok := mustCompile(t, generated).MinTraffic("routes"); ok {
		t.Error("a grouped objective has no pages")
	}
}

func TestThresholdsFollowThePeriod(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		objective string
		want      map[string]string // long window: threshold
		notes     []string
	}{
		"30 days": {
			"objective: 99.9, window: 30d",
			map[string]string{"1h": "0.0144", "6h": "0.006", "1d": "0.003", "3d": "0.001"}, nil,
		},
		"28 days": {
			"objective: 99.9, window: 28d",
			map[string]string{"1h": "0.01344", "6h": "0.0056", "1d": "0.0028", "3d": "0.000933333333"}, nil,
		},
		"14 days have no pair of three days": {
			"objective: 99.9, window: 14d",
			map[string]string{"1h": "0.00672", "6h": "0.0028", "1d": "0.0014"},
			[]string{"availability: no burn alert over 3d: the window is too long for a period of 14d"},
		},
		"7 days have no pair of three days": {
			"objective: 99.9, window: 7d",
			map[string]string{"1h": "0.00336", "6h": "0.0014", "1d": "0.0007"},
			[]string{"availability: no burn alert over 3d: the window is too long for a period of 7d"},
		},
		"pairs above 100 % errors are left out": {
			"objective: 90, window: 30d",
			map[string]string{"6h": "0.6", "1d": "0.3", "3d": "0.1"},
			[]string{"availability: no burn alert over 1h: at an objective of 90 it would need more than 100 % errors (14.4 times a budget of 10 %)"},
		},
		"an error ratio of 100 % is not above a threshold of 100 %": {
			"objective: 75, window: 30d",
			map[string]string{"1d": "0.75", "3d": "0.25"},
			[]string{
				"availability: no burn alert over 1h: at an objective of 75 it would need more than 100 % errors (14.4 times a budget of 25 %)",
				"availability: no burn alert over 6h: at an objective of 75 it would need more than 100 % errors (6 times a budget of 25 %)",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := mustCompile(t, strings.Replace(minimal, "objective: 99.9", test.objective, 1)+"links: {runbooks: 'https://r.test', grafana: 'https://g.test'}\nalerting: {receivers: {page: pagerduty, ticket: slack}}\n")
			got := map[string]string{}
			for _, a := range rules.Alerts {
				if a.Burn != nil {
					got[a.Burn.LongWindow()] = ""
					for _, want := range test.want {
						if strings.Count(a.Rule.Expr, " > "+want+" and") == 2 {
							got[a.Burn.LongWindow()] = want
						}
					}
				}
			}
			for pair, want := range test.want {
				if got[pair] != want {
					t.Errorf("%s: threshold %q, want %q", pair, got[pair], want)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("pairs %v, want %v", got, test.want)
			}
			if !slices.Equal(rules.Notes, test.notes) {
				t.Errorf("notes %q, want %q", rules.Notes, test.notes)
			}
		})
	}
}
