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

// Series that a scraper writes about each scrape, in addition to semconv.Up.
const (
	scrapeDuration = "scrape_duration_seconds"
	scrapeSamples  = "scrape_samples_scraped"
)

// Defaults of a Target.
const (
	// DefaultMaxBytes is enough for about 100,000 series.
	DefaultMaxBytes = 16 << 20
	// DefaultTimeout is the default scrape_timeout of Prometheus.
	DefaultTimeout = 10 * time.Second
)

// Target is a metrics page and how to read it.
type Target struct {
	URL string
	// Labels are set on every series. An exposed label with the same name becomes exported_<name>, as in
	// Prometheus with honor_labels false.
	Labels   labels.Labels
	Client   *http.Client  // nil is http.DefaultClient
	MaxBytes int64         // maximum size of the decompressed page; 0 is DefaultMaxBytes
	Timeout  time.Duration // maximum time of one scrape; 0 is DefaultTimeout
	// DropNative drops native histograms, like scrape_native_histograms: false in Prometheus. DropClassic
	// drops the classic form of native histograms, like always_scrape_classic_histograms: false.
	DropNative, DropClassic bool
}

// Scrape is the result of one scrape.
type Scrape struct {
	Samples   int // on the page, native histograms included
	Series    int // series that the last scrape did not have
	Exemplars int // exemplars that the series did not have yet
	Bytes     int // size of the decompressed page
	Duration  time.Duration
}

// Scraper scrapes one target into a store. It is not safe for concurrent use.
type Scraper struct {
	store  *Store
	target Target
	last   time.Time
	live   map[uint64]labels.Labels // series of the last scrape, by hash
	// labeled are the series of the last page, by the hash of the exposed labels: most pages expose the same
	// series as the page before.
	labeled map[uint64]labeled
}

// labeled is a series as exposed and as stored.
type labeled struct {
	exposed, stored labels.Labels
	hash            uint64 // of stored
}

// NewScraper returns a scraper of a target.
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

// Scrape reads the page and appends its samples and exemplars at time at, which must be later than the last
// scrape. Times on the page are ignored. Series of the last scrape that are missing now are marked stale.
//
// If the request fails or the page is not a metrics page, up is 0, every series of the target becomes stale,
// and the error describes the fix. If ctx is done, nothing is written, because that is no information about
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

// End marks all series of the target stale, as Prometheus does when service discovery removes a target.
func (sc *Scraper) End(at time.Time) error {
	var problems []error
	for _, r := range sc.reports(Scrape{}, false) {
		problems = append(problems, sc.store.MarkStale(r.labels, at.UnixMilli()))
	}
	for _, l := range sc.live {
		problems = append(problems, sc.store.MarkStale(l, at.UnixMilli()))
	}
	sc.live = nil
	return joined(problems, sc.target.redacted())
}

// label gives samples the labels that they are stored with.
func (sc *Scraper) label(samples []scraped) {
	before := sc.labeled
	sc.labeled = make(map[uint64]labeled, len(samples))
	for i, s := range samples {
		hash := s.labels.Hash()
		l, ok := before[hash]
		if !ok || !labels.Equal(l.exposed, s.labels) {
			stored := sc.target.label(s.labels)
			l = labeled{s.labels, stored, stored.Hash()}
		}
		sc.labeled[hash] = l
		samples[i].labels, samples[i].hash = l.stored, l.hash
	}
}

// write appends the samples of a scrape and marks missing series stale.
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
			continue // the first sample of a page counts, as in Prometheus
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

// joined returns one error with the target and the first problems.
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

// exemplars returns how many exemplars were new. An exemplar that the store rejects does not fail the scrape,
// because its sample is more important.
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

// reports returns the samples about the scrape itself.
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
