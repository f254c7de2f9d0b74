package slo

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Timing of the alerts on instance health. At the longest scrape interval, 60 s, they page
// within three minutes: a sample is missing 75 s after the last one, the next evaluation is
// at most 15 s later, and the state must last for 90 s. This is longer than one scrape and
// its timeout, so that a single lost scrape never pages. See docs/adr/008.
const (
	instancesInterval = 15 * time.Second
	instancesFor      = 90 * time.Second
	crashFor          = 30 * time.Second
	// scrapeGrace covers the default timeout of a scrape, 10 s, and jitter.
	scrapeGrace = 15 * time.Second
	// The incident does not end if an instance responds once between two crashes.
	instancesKeepFiring = 5 * time.Minute

	// A crash loop is visible within two scrapes of 60 s. Instances that started up to
	// three minutes ago belong to it.
	crashWindow = 2 * time.Minute
	crashYoung  = 3 * time.Minute
	crashMemory = 5 * time.Minute
	// The start time of a process is computed from the clock, and changes by a second
	// when the clock is adjusted.
	crashClock = 5 * time.Second

	rememberEnvironment = 6 * time.Hour
)

// fresh is a range that contains the latest sample of every target that is still scraped.
// This is faster than staleness markers, which Prometheus writes up to two intervals after
// a target is removed.
func (c *compiler) fresh() string { return "[" + window(c.spec.ScrapeInterval+scrapeGrace) + "]" }

// latestPresence is the presence of instances as of their latest scrape. Pushed metrics have
// no staleness markers, and a collector may delay them, so for these the lookback of
// Prometheus, five minutes, applies.
func (c *compiler) latestPresence() string {
	if c.spec.Metrics == MetricsPush {
		return c.presence().String()
	}
	return "last_over_time(" + c.presence().String() + c.fresh() + ")"
}

// pushLookback is the lookback of instant queries.
const pushLookback = 5 * time.Minute

// DownWithin returns the longest time from the loss of all instances to a page.
func (r Rules) DownWithin() time.Duration {
	missed := r.Spec.ScrapeInterval + scrapeGrace
	if r.Spec.Metrics == MetricsPush {
		missed = pushLookback
	}
	return missed + instancesInterval + instancesFor
}

// crashesWithin is the time from the start of a crash loop to the page: the last sample of
// the process before it must have left the window.
const crashesWithin = crashWindow + instancesInterval + crashFor

// instanceRecords adds the records for the alerts on instance health.
func (c *compiler) instanceRecords() {
	labels := []Label{{labelService, c.spec.Service}}
	seen, targets := c.ofService(recordEnvironment), c.ofService(recordTargets)
	c.record(TierInstances, recordTargets, c.by("sum", c.latestPresence()), labels...)
	c.record(TierInstances, recordEnvironment, fmt.Sprintf("%s * 0 + time() or %s(last_over_time(%s[30m:1m]) > time() - %d)",
		targets, c.onEnvironment(), seen, int(rememberEnvironment.Seconds())), labels...)
}

func (c *compiler) instanceAlerts() {
	c.down()
	if c.spec.Metrics == MetricsScrape {
		c.crashLooping()
	}
	if c.spec.Runtime {
		c.notReady()
	}
}

// down adds the alert for instances that do not respond, which no request metric shows.
// It fires for an environment in which no instance responds, that recently had instances
// and has none now, or that has less than half of the minimum that it recently had. It
// also fires if the service has no data at all.
func (c *compiler) down() {
	present, on := c.presence().String(), c.onEnvironment()
	seen, targets := c.ofService(recordEnvironment), c.ofService(recordTargets)
	condition := "For " + inWords(instancesFor) + ", no instance " + c.responds()
	parts := []string{
		targets + " == 0",
		"0 * (" + seen + " unless " + on + targets + ")",
		"0 * (absent(" + present + ") unless on () " + seen + ")",
	}
	if lowest := c.spec.Replicas.Min; lowest > 1 {
		// The minimum does not apply to environments that never had it, such as small
		// ones for tests.
		parts = append(parts, fmt.Sprintf("%s < %s and %smax_over_time(%s[6h:10m]) >= %d",
			targets, decimal(big.NewRat(int64(lowest), 2)), on, targets, lowest))
		condition += fmt.Sprintf(", or fewer than half of the configured minimum (%d) do", lowest)
	}
	c.instanceAlert(Alert{
		Kind: KindDown, Check: c.by("sum", present), Expect: Rules{Spec: c.spec}.expectedInstances() + "; no result means that Prometheus knows no instance",
		Condition: condition + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "Down", Expr: strings.Join(parts, " or "), For: instancesFor,
	}, texts{
		summary:     c.subject() + ": {{ $value }} responding instances; requests fail",
		description: "No instance responds, or fewer than half of the minimum. Requests that reach no instance fail, and no error budget counts them. " + c.sinceText(instancesFor),
	})
}

// responds is what the presence of an instance means, in English.
func (c *compiler) responds() string {
	if c.spec.Metrics == MetricsPush {
		return "sends metrics"
	}
	return "responds to scrapes"
}

// notReady adds the alert for instances that respond to scrapes but are not ready, so that
// the load balancer sends them no requests.
func (c *compiler) notReady() {
	ready := c.scope.metric(semconv.RuntimeReady).String()
	c.instanceAlert(Alert{
		Kind: KindNotReady, Check: c.by("avg", ready), Expect: "1", Where: ready + " == 0",
		Condition: "Fewer than half of the instances that respond to scrapes are ready, for " + inWords(instancesFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "NotReady", Expr: c.by("avg", "last_over_time("+ready+c.fresh()+")") + " < 0.5", For: instancesFor,
	}, texts{
		summary:     c.subject() + ": only {{ $value | humanizePercentage }} of the running instances accept requests",
		description: "Instances run but respond to /readyz with 503, so the load balancer sends them no requests. " + c.sinceText(instancesFor),
	})
}

// crashLooping adds the alert that fires while at least half of the instances crash
// repeatedly, even if each scrape finds a healthy instance between two crashes.
//
// A target loops if it restarted within the last minutes, if all processes that it showed
// within two minutes were younger than three, and if there was more than one restart: two
// start times, or no response now, or a response only shortly after a failed scrape. One
// restart does not count, even if a scrape failed for up to half an interval.
func (c *compiler) crashLooping() {
	up := c.presence().String()
	metric := c.scope.metric(semconv.ProcessStartTime)
	start := metric.String()
	over := func(op, series string, d time.Duration) string {
		return op + "_over_time(" + series + "[" + window(d) + "])"
	}
	on := "on (" + c.kept(semconv.LabelJob, semconv.LabelInstance) + ") "
	clock := strconv.Itoa(int(crashClock.Seconds()))
	last := over("max", start, crashWindow)
	loops := fmt.Sprintf("%s > time() - %d and %s - %s > %s and %s(%s - %s > %s or %s%s == 0 or %s(%s == 0 and %stimestamp(%s) - %s < %d))",
		over("min", start, crashWindow), int(crashYoung.Seconds()),
		last, over("min", start, crashMemory), clock,
		on, last, over("min", start, crashWindow), clock,
		on, up,
		on, over("min", up, crashWindow), on, start, start, int(c.spec.ScrapeInterval.Seconds())/2)
	started := c.by("count", loops) + " / " + c.by("count", over("max", up, crashWindow)+" == 1")
	c.instanceAlert(Alert{
		Kind: KindCrashLooping, Check: c.by("max", "changes("+start+"[10m])"),
		Expect: "0, or 1 after a single restart", Where: "changes(" + start + "[10m]) > 1",
		Condition: "At least half of the instances crash repeatedly, each time less than " + inWords(crashYoung) + " after they started; the alert fires when this has been true for " + inWords(crashFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "CrashLooping", Expr: started + " >= 0.5", For: crashFor,
	}, texts{
		summary:     c.subject() + ": {{ $value | humanizePercentage }} of the instances crash and restart repeatedly",
		description: "Each crash aborts the requests in flight, and no error budget counts them. Between crashes everything may look healthy.",
	})
}

// instanceAlert adds a page to the group of instance health.
func (c *compiler) instanceAlert(a Alert, r Rule, t texts) {
	a.Tier, a.SLO = TierPage, -1
	r.Labels, r.KeepFiringFor = c.alertLabels(TierPage), instancesKeepFiring
	c.alertIn(&c.instances, a, r, t)
}
