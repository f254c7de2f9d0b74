package metricstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// What a scraper writes about each scrape, beside semconv.Up.
const (
	scrapeDuration = "scrape_duration_seconds"
	scrapeSamples  = "scrape_samples_scraped"
)

// Defaults of a Target.
const (
	// DefaultMaxBytes has room for about 100,000 series.
	DefaultMaxBytes = 16 << 20
	// DefaultTimeout is Prometheus' scrape_timeout.
	DefaultTimeout = 10 * time.Second
)

// Target is a metrics page and how to read it.
type Target struct {
	URL string
	// Labels are set on every series. An exposed label of the same name becomes
	// exported_<name>, as Prometheus does with honor_labels false.
	Labels   labels.Labels
	Client   *http.Client  // nil is http.DefaultClient
	MaxBytes int64         // of the page, decompressed; 0 is DefaultMaxBytes
	Timeout  time.Duration // of one scrape; 0 is DefaultTimeout
	// DropNative drops native histograms, as Prometheus does with scrape_native_histograms
	// false. DropClassic drops the classic form of native histograms, as Prometheus does with
	// always_scrape_classic_histograms false.
	DropNative, DropClassic bool
}

// Scrape is what one scrape brought.
type Scrape struct {
	Samples   int // on the page, native histograms included
	Series    int // of them new: the last scrape had none such
	Exemplars int // that the series had not yet
	Bytes     int // of the page, decompressed
	Duration  time.Duration
}

// Scraper reads one target again and again into a store. It is used by one
// goroutine at a time.
type Scraper struct {
	store  *Store
	target Target
	last   time.Time
	live   map[uint64]labels.Labels // series of the last scrape, by hash
	// labelled are the series of the last page, by the hash of the labels that it exposes: most
	// pages expose the series of the one before.
	labelled map[uint64]labelled
}

// labelled is a series as a page exposes it, and as it is stored.
type labelled struct {
	exposed, stored labels.Labels
	hash            uint64 // of stored
}

// NewScraper prepares scrapes of a target. Nothing is read before Scrape.
func NewScraper(s *Store, t Target) *Scraper {
	if t.Client == nil {
		t.Client = http.DefaultClient
	}
	if t.MaxBytes <= 0 {
		t.MaxBytes = DefaultMaxBytes
	}
	if t.Timeout <= 0 {
		t.Timeout = DefaultTimeout
	}
	return &Scraper{store: s, target: t}
}

// Scrape reads the page and appends its samples and exemplars, all with the time
// at, which is later than that of the scrape before; times on the page are not
// used. Series that the last scrape had and this one has not are marked stale.
//
// When the page does not come, or is not a page of metrics, nothing of it is
// kept: up is 0, every series of the target goes stale, and the error says what
// to do. Only when ctx is done nothing is written, since that says nothing about
// the target.
func (sc *Scraper) Scrape(ctx context.Context, at time.Time) (Scrape, error) {
	if !at.After(sc.last) && !sc.last.IsZero() {
		return Scrape{}, fmt.Errorf("scrape of %s at %s: the last one was at %s; scrapes go forward in time",
			sc.target.redacted(), at.UTC().Format(time.RFC3339Nano), sc.last.UTC().Format(time.RFC3339Nano))
	}
	start := time.Now()
	page, err := sc.target.read(ctx)
	if ctx.Err() != nil {
		return Scrape{}, fmt.Errorf("scrape of %s: %w", sc.target.redacted(), context.Cause(ctx))
	}
	sc.last = at
	sc.label(page.samples)
	out := Scrape{Samples: len(page.samples), Bytes: page.bytes, Duration: time.Since(start)}
	return out, errors.Join(err, sc.write(at.UnixMilli(), page, &out, err == nil))
}

// label gives samples the labels that they are stored with.
func (sc *Scraper) label(samples []scraped) {
	before := sc.labelled
	sc.labelled = make(map[uint64]labelled, len(samples))
	for i, s := range samples {
		hash := s.labels.Hash()
		l, ok := before[hash]
		if !ok || !labels.Equal(l.exposed, s.labels) {
			stored := sc.target.label(s.labels)
			l = labelled{s.labels, stored, stored.Hash()}
		}
		sc.labelled[hash] = l
		samples[i].labels, samples[i].hash = l.stored, l.hash
	}
}

// write appends what a scrape brought and ends what it did not.
func (sc *Scraper) write(at int64, page page, out *Scrape, up bool) error {
	ended := sc.live
	sc.live = make(map[uint64]labels.Labels, len(page.samples))
	reports := sc.reports(*out, up)
	seen := make(map[uint64]labels.Labels, len(reports))
	var problems []error
	for _, r := range reports {
		seen[r.labels.Hash()] = r.labels
		problems = append(problems, sc.store.Append(r.labels, at, r.value))
	}
	for _, s := range page.samples {
		hash := s.hash
		if _, twice := seen[hash]; twice {
			continue // the first of a page counts, as in Prometheus
		}
		seen[hash] = s.labels
		if err := sc.append(at, s); err != nil {
			problems = append(problems, err)
			continue
		}
		sc.live[hash] = s.labels
		if _, ok := ended[hash]; !ok {
			out.Series++
		}
		delete(ended, hash)
		out.Exemplars += sc.exemplars(at, s)
	}
	for _, l := range ended {
		problems = append(problems, sc.store.MarkStale(l, at))
	}
	return joined(problems, sc.target.redacted())
}

// joined names the target once and not more problems than one can read.
func joined(problems []error, target string) error {
	const readable = 5
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	n := len(problems)
	if n == 0 {
		return nil
	}
	if n > readable {
		problems = append(problems[:readable], fmt.Errorf("and %d more", n-readable))
	}
	return fmt.Errorf("scrape of %s: the store refuses samples: %w", target, errors.Join(problems...))
}

func (sc *Scraper) append(at int64, s scraped) error {
	if s.histogram != nil {
		return sc.store.AppendHistogram(s.labels, at, s.histogram)
	}
	return sc.store.Append(s.labels, at, s.value)
}

// exemplars returns how many were new. One that the store refuses does not fail
// a scrape: the sample matters more.
func (sc *Scraper) exemplars(at int64, s scraped) int {
	n := 0
	for _, e := range s.exemplars {
		e.Ts, e.HasTs = at, false
		if added, err := sc.store.addExemplar(s.labels, e); err == nil && added {
			n++
		}
	}
	return n
}

// reports are the series about the scrape itself.
func (sc *Scraper) reports(s Scrape, up bool) []scraped {
	value := 0.0
	if up {
		value = 1
	}
	of := func(name string, v float64) scraped {
		return scraped{labels: sc.target.label(labels.FromStrings(model.MetricNameLabel, name)), value: v}
	}
	return []scraped{
		of(semconv.Up, value),
		of(scrapeDuration, s.Duration.Seconds()),
		of(scrapeSamples, float64(s.Samples)),
	}
}
