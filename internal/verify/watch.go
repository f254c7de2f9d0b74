package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Limits of the watch.
const (
	// pace is the real time between two scrapes.
	pace = 25 * time.Millisecond
	// maxPage is the maximum size of a metrics page: a larger one costs its Prometheus too much.
	maxPage = 16 << 20
	// storeBytes limits the memory of all scrapes.
	storeBytes = 512 << 20
	// queryWithin is the default of Options.QueryWithin.
	queryWithin = 10 * time.Second
	// scrapeTimeout is much longer than a scrape takes.
	scrapeTimeout = 5 * time.Second
)

// watch is a Prometheus with one target and a simulated clock. One goroutine runs it; others may query it.
type watch struct {
	stepping sync.Mutex // of child and scraper
	child    *child
	interval time.Duration // declared; simulated time between two scrapes
	store    *metricstore.Store
	scraper  *metricstore.Scraper
	ev       *rulesim.Evaluator

	mu      sync.Mutex
	now     time.Time // of the last scrape
	fired   []rulesim.Firing
	scrapes int
	failed  error
}

// newWatch returns a watch of a child, whose clock starts when the child started.
func newWatch(c *child, interval time.Duration, target metricstore.Target, groups []rulesim.Group, within time.Duration) (*watch, error) {
	store := metricstore.NewWithLimit(storeBytes)
	ev, err := rulesim.New(store, groups, rulesim.Options{QueryTimeout: cmp.Or(within, queryWithin)})
	if err != nil {
		return nil, err
	}
	return &watch{
		child: c, interval: interval, store: store, ev: ev, now: time.Now().Truncate(interval),
		scraper: newScraper(store, c, target),
	}, nil
}

// run scrapes and evaluates the rules until the context ends. It stops at the first scrape that fails: a
// running service must respond to its scraper.
func (w *watch) run(ctx context.Context) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if err := w.step(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			w.mu.Lock()
			w.failed = err
			w.mu.Unlock()
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// step runs one scrape and every evaluation that is due by its time.
func (w *watch) step(ctx context.Context) error {
	w.stepping.Lock()
	defer w.stepping.Unlock()
	from := w.time()
	to := from.Add(w.interval)
	if _, err := w.scraper.Scrape(ctx, to); err != nil {
		return w.child.reasonOf(ctx, err)
	}
	// Only a running child owns the address; afterwards another program may get the port.
	if err := w.child.alive(); err != nil {
		return err
	}
	if err := w.ev.Run(ctx, from, to); err != nil {
		return ruleError{err}
	}
	fired := w.ev.History()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.fired = to, fired
	w.scrapes++
	return nil
}

// replace scrapes another child from the next scrape on. The series of the one before end after its last scrape, as
// those of a target that service discovery removes. The clock waits for start.
func (w *watch) replace(start func() (*child, metricstore.Target, error)) error {
	w.stepping.Lock()
	defer w.stepping.Unlock()
	c, target, err := start()
	if err != nil {
		return err
	}
	if err := w.scraper.End(w.time().Add(time.Millisecond)); err != nil {
		return err
	}
	w.child, w.scraper = c, newScraper(w.store, c, target)
	return nil
}

func newScraper(store *metricstore.Store, c *child, target metricstore.Target) *metricstore.Scraper {
	target.URL, target.MaxBytes, target.Timeout = c.admin+"/metrics", maxPage, scrapeTimeout
	return metricstore.NewScraper(store, target)
}

func (w *watch) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) state() (scrapes int, failed error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.scrapes, w.failed
}

// pass waits until an amount of simulated time has passed.
func (w *watch) pass(ctx context.Context, d time.Duration) error {
	end := w.time().Add(d)
	return until(ctx, fmt.Sprintf("%s of simulated time have passed", d), func() bool { return !w.time().Before(end) }, w.trouble)
}

// trouble returns why the watch has stopped, or nil.
func (w *watch) trouble() error {
	_, failed := w.state()
	return failed
}

// history returns the alerts that have fired so far.
func (w *watch) history() []rulesim.Firing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.fired)
}

// query evaluates an expression at the current time.
func (w *watch) query(ctx context.Context, expr string) (promql.Vector, error) {
	return w.ev.Query(ctx, expr, w.time())
}

// targetLabels returns the labels that a scraper sets on every series of the service.
func targetLabels(selector map[string]string, environmentLabel, instance string) labels.Labels {
	b := labels.NewBuilder(labels.FromMap(selector))
	b.Set(environmentLabel, Environment)
	b.Set(semconv.LabelInstance, instance)
	return b.Labels()
}

// Environment is the deployment environment in which the service runs.
const Environment = "verify"

// ruleError is a rule that does not evaluate; the service is not the cause.
type ruleError struct{ err error }

func (e ruleError) Error() string { return e.err.Error() }
func (e ruleError) Unwrap() error { return e.err }
