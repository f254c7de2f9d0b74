package slo

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// instanceTest is a healthy time followed by an incident of the only instance of an
// environment. Values are in promtool's notation, one sample per scrape.
type instanceTest struct {
	name, alert string
	broken      map[string]string // values by metric, with the incident
	healthy     map[string]string // values by metric, without it
	within      time.Duration
}

// testInstances writes the tests of the alerts on instance health.
func (r Rules) testInstances(y *yamlWriter, c *compiler) {
	for _, t := range r.instanceTests(c) {
		y.raw("- name: " + t.name + "\n")
		y.raw("  interval: " + window(r.Spec.ScrapeInterval) + "\n  input_series:\n")
		for _, environment := range []string{"production", "staging"} {
			values := t.broken
			if environment == "staging" {
				values = t.healthy
			}
			for _, metric := range []string{c.presence().metric, semconv.RuntimeReady, semconv.ProcessStartTime} {
				if values[metric] != "" {
					c.instanceSeries(y, metric, environment, values[metric])
				}
			}
		}
		alert := camel(r.Spec.Service) + t.alert
		y.raw("  promql_expr_test:\n")
		y.nothing(firing(named(alert)), healthyPage)
		y.sample(firing(named(alert)), healthyPage+t.within, 1)
	}
}

func (c *compiler) instanceSeries(y *yamlWriter, metric, environment, values string) {
	instance := labels.MustNewMatcher(labels.MatchEqual, semconv.LabelInstance, "a")
	if name, ok := c.scope.metric(metric, instance).example(map[string]string{c.spec.EnvironmentLabel: environment}); ok {
		y.series(name, values)
	}
}

func (r Rules) instanceTests(c *compiler) []instanceTest {
	scrape := r.Spec.ScrapeInterval
	healthy, broken := int64(healthyPage/scrape), int64(instancesKeepFiring/scrape)
	up, within := c.presence().metric, r.DownWithin()
	always := fmt.Sprintf("1x%d", healthy+broken)
	then := func(value int) string { return fmt.Sprintf("1x%d %dx%d", healthy, value, broken) }
	tests := []instanceTest{{
		name: "Down fires if all instances disappear", alert: "Down", within: within,
		broken: map[string]string{up: fmt.Sprintf("1x%d", healthy)}, healthy: map[string]string{up: always},
	}}
	if r.Spec.Metrics == MetricsScrape {
		first := int64((healthyPage + scrape).Seconds()) - 1
		tests = append(tests, instanceTest{
			name: "Down fires if no instance responds", alert: "Down", within: within,
			broken: map[string]string{up: then(0)}, healthy: map[string]string{up: always},
		}, instanceTest{
			name: "CrashLooping fires if each scrape finds a new process", alert: "CrashLooping", within: crashesWithin,
			broken:  map[string]string{up: always, semconv.ProcessStartTime: fmt.Sprintf("0x%d %d+%dx%d", healthy, first, int64(scrape.Seconds()), broken)},
			healthy: map[string]string{up: always, semconv.ProcessStartTime: fmt.Sprintf("0x%d %dx%d", healthy, first, broken)},
		})
	}
	if r.Spec.Runtime {
		tests = append(tests, instanceTest{
			name: "NotReady fires if no instance is ready", alert: "NotReady", within: within,
			broken: map[string]string{up: always, semconv.RuntimeReady: then(0)}, healthy: map[string]string{up: always, semconv.RuntimeReady: always},
		})
	}
	return tests
}
