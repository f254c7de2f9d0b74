package slo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Healthy time before the incident of a test. Tickets wait until half of the window of
// three days has data.
const (
	healthyPage   = time.Hour
	healthyTicket = 37 * time.Hour
)

// flow is a series of a test, and whether good and bad events increase it.
type flow struct {
	selector  selector
	good, bad bool
}

func (e countedEvents) flows() []flow {
	bad := e.bad
	if e.good != nil {
		good := e.total
		if inverse, err := e.apart.Inverse(); err == nil {
			good = good.with(inverse)
		}
		return []flow{{selector: good, good: true}, {selector: bad, bad: true}}
	}
	if bad.metric == e.total.metric {
		bad = bad.with(e.total.matchers...)
	}
	return []flow{{selector: e.total, good: true, bad: true}, {selector: bad, bad: true}}
}

func (e timedEvents) flows() []flow {
	return []flow{
		{selector: e.series("_count"), good: true, bad: true},
		{selector: e.series("_bucket", atMost(e.bound)), good: true},
	}
}

// testFile writes a unit test for promtool, with a healthy time and a total outage of each
// objective: increases count every event, alerts fire when predicted and not before, and
// another environment has no alerts.
func (r Rules) testFile(g Group) []byte {
	y := &yamlWriter{}
	y.raw(header)
	y.raw("rule_files:\n- " + r.fileName(g) + "\nevaluation_interval: " + window(g.Interval) + "\ntests:\n")
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	c.page, c.ticket = c.group(TierPage, pageInterval), c.group(TierTicket, ticketInterval)
	if g.Tier == TierInstances {
		r.testInstances(y, c)
		return y.Bytes()
	}
	for i := range r.Spec.SLOs {
		if o := c.resolve(i); !o.grouped || g.Tier == TierTicket {
			r.testObjective(y, c, g, o)
		}
	}
	return y.Bytes()
}

// testObjective writes the test of one objective, if it finds series that the selectors
// match.
func (r Rules) testObjective(y *yamlWriter, c *compiler, g Group, o resolved) {
	healthy := healthyPage
	if g.Tier == TierTicket {
		healthy = healthyTicket
	}
	run := testRun{
		Rules: r, group: g, compiler: c, objective: o, alerts: r.burns(g.Tier, o.index),
		healthy: healthy, rate: 1,
	}
	run.measure()
	series := run.series()
	if series == nil {
		y.raw("# " + o.Name + " has no test: found no series that its selectors match.\n")
		return
	}
	y.raw("- name: " + o.Name + " counts every event, and alerts fire in time\n")
	y.raw("  interval: " + window(run.Spec.ScrapeInterval) + "\n  input_series:\n")
	for _, s := range series {
		y.series(s[0], s[1])
	}
	y.raw("  promql_expr_test:\n")
	run.expect(y)
}

func (r Rules) burns(tier Tier, objective int) []Alert {
	var out []Alert
	for _, a := range r.alertsOf(r.Spec.SLOs[objective].Name) {
		if a.Burn != nil && a.Tier == tier {
			out = append(out, a)
		}
	}
	return out
}

// testRun is a healthy time and a total outage of one objective.
type testRun struct {
	Rules
	group     Group
	compiler  *compiler
	objective resolved
	alerts    []Alert
	healthy   time.Duration
	outage    time.Duration
	rate      int64 // events per second
}

// measure sets the length of the outage and the rate of events, so that all alerts fire.
func (t *testRun) measure() {
	t.outage = max(10*t.group.Interval, t.whole())
	for _, a := range t.alerts {
		d := t.detection(&a, 1)
		t.outage = max(t.outage, t.fires(d))
		if seconds := d.FiresAfter.Seconds(); seconds >= 1 {
			t.rate = max(t.rate, int64(math.Ceil(float64(a.Burn.MinBadEvents+1)/seconds)))
		}
	}
}

// fires returns the latest evaluation at which an alert fires.
func (t *testRun) fires(d Detection) time.Duration {
	return (d.FiresAfter + t.Delay(t.group.Tier)).Truncate(t.group.Interval) + t.group.Interval
}

// series returns the series of the test and their values, or nil if it finds none.
func (t *testRun) series() [][2]string {
	var out [][2]string
	seen := map[string]bool{}
	scrape := t.Spec.ScrapeInterval
	before, during := int64(t.healthy/scrape), int64(t.outage/scrape)
	step := t.rate * int64(scrape/time.Second)
	for _, environment := range []string{"production", "staging"} {
		outage := environment == "production"
		for _, f := range t.objective.events.flows() {
			more := map[string]string{t.Spec.EnvironmentLabel: environment}
			for _, label := range t.objective.GroupBy {
				more[label] = "/a"
			}
			name, ok := f.selector.example(more)
			if !ok || seen[name] {
				return nil
			}
			seen[name] = true
			first, second := int64(0), int64(0)
			if f.good {
				first = step
			}
			if f.bad && outage || f.good && !outage {
				second = step
			}
			out = append(out, [2]string{name, fmt.Sprintf("0+%dx%d %d+%dx%d", first, before, before*first+second, second, during)})
		}
	}
	return out
}

// whole returns the shortest multiple of both the group interval and the scrape interval.
func (t *testRun) whole() time.Duration {
	whole := t.group.Interval
	for whole%t.Spec.ScrapeInterval != 0 {
		whole += t.group.Interval
	}
	return whole
}

// expect writes the expected results.
func (t *testRun) expect(y *yamlWriter) {
	counting := t.compiler.counting(t.objective, t.group.Tier)
	count := float64(t.rate) * t.whole().Seconds()
	in := func(series string) string {
		series = fmt.Sprintf("%s,%s=\"production\"}", strings.TrimSuffix(series, "}"), t.Spec.EnvironmentLabel)
		if t.whole() > t.group.Interval {
			series = "sum_over_time(" + series + "[" + window(t.whole()) + "] offset " + window(t.group.QueryOffset) + ")"
		}
		return "sum(" + series + ")"
	}
	total := in(ref(counting.total(), t.Spec.Service, t.compiler.totalSLI(t.objective)))
	bad := in(t.objective.ref(counting.bad()))
	middle, end := t.healthy/2, t.healthy+t.outage
	y.sample(total, middle, count)
	y.sample(bad, middle, 0)
	y.sample(total, end, count)
	y.sample(bad, end, count)
	for _, a := range t.alerts {
		y.nothing(firing(a.matchers()), t.healthy)
		y.sample(firing(a.matchers()), t.healthy+t.fires(t.detection(&a, 1)), 1)
	}
}

func firing(matchers string) string { return "count(ALERTS{" + matchers + `,alertstate="firing"})` }

func (y *yamlWriter) series(name, values string) {
	y.raw("  - series: ")
	y.quoted(name, func(string) bool { return false })
	y.raw("\n    values: ")
	y.quoted(values, func(string) bool { return false })
	y.raw("\n")
}

// nothing expects an expression to have no result.
func (y *yamlWriter) nothing(expr string, at time.Duration) {
	y.raw("  - expr: ")
	y.scalar(expr)
	y.raw("\n    eval_time: " + window(at) + "\n")
}

// sample expects one value without labels.
func (y *yamlWriter) sample(expr string, at time.Duration, value float64) {
	y.nothing(expr, at)
	y.raw("    exp_samples: [{labels: '{}', value: " + strconv.FormatFloat(value, 'g', -1, 64) + "}]\n")
}
