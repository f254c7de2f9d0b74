package slo

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// aliveTest is a healthy time and then an incident of every process of one
// environment, as its one process shows it: values of a series, a sample each
// scrape.
type aliveTest struct {
	name, alert string
	broken      map[string]string // series of what breaks: values
	sound       map[string]string // the same where nothing breaks
	within      time.Duration
}

// testAlive writes the tests of the pages on processes.
func (r Rules) testAlive(y *yamlWriter, c *compiler) {
	for _, t := range r.aliveTests(c) {
		y.raw("- name: " + t.name + "\n")
		y.raw("  interval: " + window(r.Spec.ScrapeInterval) + "\n  input_series:\n")
		for _, environment := range []string{"production", "staging"} {
			values := t.broken
			if environment == "staging" {
				values = t.sound
			}
			for _, metric := range []string{c.presence().metric, semconv.RuntimeReady, semconv.ProcessStartTime} {
				if values[metric] != "" {
					c.aliveSeries(y, metric, environment, values[metric])
				}
			}
		}
		alert := camel(r.Spec.Service) + t.alert
		y.raw("  promql_expr_test:\n")
		y.nothing(firing(named(alert)), healthyPage)
		y.sample(firing(named(alert)), healthyPage+t.within, 1)
	}
}

func (c *compiler) aliveSeries(y *yamlWriter, metric, environment, values string) {
	instance := labels.MustNewMatcher(labels.MatchEqual, semconv.LabelInstance, "a")
	if name, ok := c.scope.metric(metric, instance).example(map[string]string{c.spec.EnvironmentLabel: environment}); ok {
		y.series(name, values)
	}
}

func (r Rules) aliveTests(c *compiler) []aliveTest {
	scrape := r.Spec.ScrapeInterval
	healthy, broken := int64(healthyPage/scrape), int64(aliveKeepFiring/scrape)
	up, within := c.presence().metric, r.GoneWithin()
	always := fmt.Sprintf("1x%d", healthy+broken)
	then := func(value int) string { return fmt.Sprintf("1x%d %dx%d", healthy, value, broken) }
	tests := []aliveTest{{
		name: "an environment whose processes are gone is down", alert: "Down", within: within,
		broken: map[string]string{up: fmt.Sprintf("1x%d", healthy)}, sound: map[string]string{up: always},
	}}
	if r.Spec.Metrics == MetricsScrape {
		first := int64((healthyPage + scrape).Seconds()) - 1
		tests = append(tests, aliveTest{
			name: "an environment without a process that answers is down", alert: "Down", within: within,
			broken: map[string]string{up: then(0)}, sound: map[string]string{up: always},
		}, aliveTest{
			name: "a process that is new at each scrape crashes again and again", alert: "CrashLooping", within: crashesWithin,
			broken: map[string]string{up: always, semconv.ProcessStartTime: fmt.Sprintf("0x%d %d+%dx%d", healthy, first, int64(scrape.Seconds()), broken)},
			sound:  map[string]string{up: always, semconv.ProcessStartTime: fmt.Sprintf("0x%d %dx%d", healthy, first, broken)},
		})
	}
	if r.Spec.Runtime {
		tests = append(tests, aliveTest{
			name: "an environment whose processes take no requests is not ready", alert: "NotReady", within: within,
			broken: map[string]string{up: always, semconv.RuntimeReady: then(0)}, sound: map[string]string{up: always, semconv.RuntimeReady: always},
		})
	}
	return tests
}
