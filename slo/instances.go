package slo

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Timing of the alerts on instance health. At the longest scrape interval of 60 s they
// page within three minutes: a sample is missed 75 s after the last one came, an
// evaluation is at most 15 s later, and the state must last for 90 s. That is
// longer than one scrape and its timeout, so that a single lost one is silent at
// every interval. See docs/adr/008.
const (
	instancesInterval = 15 * time.Second
	instancesFor      = 90 * time.Second
	crashFor          = 30 * time.Second
	// scrapeGrace covers the default timeout of a scrape, 10 s, and jitter.
	scrapeGrace = 15 * time.Second
	// An instance that responds once between two crashes does not end an incident.
	instancesKeepFiring = 5 * time.Minute

	// A crash loop shows in two scrapes of 60 s. What came up within the third
	// minute back belongs to it.
	crashWindow = 2 * time.Minute
	crashYoung  = 3 * time.Minute
	crashMemory = 5 * time.Minute
	// The start of a process is computed from the clock and moves by a second
	// when the clock is set.
	crashClock = 5 * time.Second

	rememberEnvironment = 6 * time.Hour
)

// fresh is a window that holds the latest sample of whatever is still scraped.
// Reading it beats waiting for the mark that a series has ended, which a scraper
// writes two intervals after the target is gone.
func (c *compiler) fresh() string { return "[" + window(c.spec.ScrapeInterval+scrapeGrace) + "]" }

// answering is the presence of instances as of their latest scrape. Pushed
// metrics have no mark of their end and no fixed spacing when a collector holds
// them up, so there the engine's look-back of five minutes decides.
func (c *compiler) answering() string {
	if c.spec.Metrics == MetricsPush {
		return c.presence().String()
	}
	return "last_over_time(" + c.presence().String() + c.fresh() + ")"
}

// pushLookback is how far an instant query looks back for a sample.
const pushLookback = 5 * time.Minute

// DownWithin returns the longest time from the loss of all instances to a page.
func (r Rules) DownWithin() time.Duration {
	missed := r.Spec.ScrapeInterval + scrapeGrace
	if r.Spec.Metrics == MetricsPush {
		missed = pushLookback
	}
	return missed + instancesInterval + instancesFor
}

// crashesWithin is how long after the beginning of a crash loop a page comes: the
// last sample of the process before it must have left the window.
const crashesWithin = crashWindow + instancesInterval + crashFor

// instanceRecords adds the records that the alerts on instance health read.
func (c *compiler) instanceRecords() {
	labels := []Label{{labelService, c.spec.Service}}
	seen, targets := c.ofService(recordEnvironment), c.ofService(recordTargets)
	c.record(TierInstances, recordTargets, c.by("sum", c.answering()), labels...)
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

// down is what no request metric shows: requests that reach no instance are not
// counted. It fires for an environment in which no instance responds, which has no
// instance but had one lately, which has fewer than half of what it lately had and
// should have, and for a service without any data.
func (c *compiler) down() {
	present, on := c.presence().String(), c.onEnvironment()
	seen, targets := c.ofService(recordEnvironment), c.ofService(recordTargets)
	parts := []string{
		targets + " == 0",
		"0 * (" + seen + " unless " + on + targets + ")",
		"0 * (absent(" + present + ") unless on () " + seen + ")",
	}
	if lowest := c.spec.Replicas.Min; lowest > 1 {
		// An environment that never had the minimum, such as a small one for
		// tests, is not held to it.
		parts = append(parts, fmt.Sprintf("%s < %s and %smax_over_time(%s[6h:10m]) >= %d",
			targets, decimal(big.NewRat(int64(lowest), 2)), on, targets, lowest))
	}
	c.instanceAlert(Alert{
		Kind: KindDown, Check: c.by("sum", present), Expect: "the configured number of instances",
	}, Rule{
		Alert: camel(c.spec.Service) + "Down", Expr: strings.Join(parts, " or "), For: instancesFor,
	}, texts{
		summary:     c.subject() + ": only {{ $value }} instances respond, requests fail",
		description: "Fewer than half of the instances respond, or none. Requests that reach no instance fail, and no error budget counts them. " + c.sinceText(instancesFor),
	})
}

// notReady is the other half: instances respond to the scraper, and no load balancer
// sends them requests.
func (c *compiler) notReady() {
	ready := c.scope.metric(semconv.RuntimeReady).String()
	c.instanceAlert(Alert{
		Kind: KindNotReady, Check: c.by("avg", ready), Expect: "1", Where: ready + " == 0",
	}, Rule{
		Alert: camel(c.spec.Service) + "NotReady", Expr: c.by("avg", "last_over_time("+ready+c.fresh()+")") + " < 0.5", For: instancesFor,
	}, texts{
		summary:     c.subject() + ": only {{ $value | humanizePercentage }} of the running instances accept requests",
		description: "Instances run but respond to /readyz with 503, so the load balancer sends them no requests. " + c.sinceText(instancesFor),
	})
}

// crashLooping fires while half of the instances or more crash again and again,
// however they look between two crashes: loops shorter than a scrape show the
// scraper a healthy instance each time.
//
// A process loops when a restart of it is remembered, when each process that its
// target showed within two minutes is younger than three, and when there is more
// to it than one restart: there was more than one of them, or none answers now,
// or it was away and the one that answers has only just begun. One restart, even
// one that a scrape found away for up to half a scrape interval, is none of this.
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
	}, Rule{
		Alert: camel(c.spec.Service) + "CrashLooping", Expr: started + " >= 0.5", For: crashFor,
	}, texts{
		summary:     c.subject() + ": {{ $value | humanizePercentage }} of the instances crash and restart repeatedly",
		description: "Each crash aborts the requests in flight, and no error budget counts them. Between crashes everything may look healthy.",
	})
}

// instanceAlert adds a page to the group of the alerts on instance health.
func (c *compiler) instanceAlert(a Alert, r Rule, t texts) {
	a.Tier, a.SLO = TierPage, -1
	r.Labels, r.KeepFiringFor = c.alertLabels(TierPage), instancesKeepFiring
	c.alertIn(&c.instances, a, r, t)
}
