package verify

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// service is a fake process that serves a metrics page and its readiness.
type service struct {
	*child

	page   atomic.Value // func() (status int, page string)
	ready  atomic.Int64
	scrape atomic.Int64
}

func newService(t *testing.T, page string) *service {
	t.Helper()
	s := &service{child: &child{cmd: exec.Command("runs"), exited: make(chan struct{})}}
	s.serves(page)
	s.ready.Store(http.StatusOK)
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		s.scrape.Add(1)
		status, page := s.page.Load().(func() (int, string))()
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(s.ready.Load())) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.admin = server.URL
	return s
}

func (s *service) serves(page string) {
	s.responds(func() (int, string) { return http.StatusOK, page })
}

func (s *service) responds(page func() (status int, page string)) { s.page.Store(page) }

func (s *service) watch(t *testing.T, interval time.Duration, rules string) *watch {
	t.Helper()
	var groups []rulesim.Group
	if rules != "" {
		var err error
		if groups, err = rulesim.Load("shop.yaml", []byte("groups: [{name: shop, rules: ["+rules+"]}]")); err != nil {
			t.Fatal(err)
		}
	}
	w, err := newWatch(s.child, interval, metricstore.Target{Labels: labels.FromStrings("job", "shop")}, groups, 0)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// running returns a watch that scrapes until the test ends.
func (s *service) running(t *testing.T, interval time.Duration) *watch {
	t.Helper()
	w := s.watch(t, interval, "")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return w
}

func TestStepScrapesAndEvaluates(t *testing.T) {
	t.Parallel()
	w := newService(t, "jobs 7\n").watch(t, time.Minute, `{record: "shop:jobs", expr: jobs * 2}, {alert: Busy, expr: jobs > 5}`)
	from := w.time()
	for range 2 { // a group may be evaluated before the first scrape
		if err := w.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for expr, want := range map[string]float64{`jobs{job="shop"}`: 7, "shop:jobs": 14} {
		if v, err := w.query(t.Context(), expr); err != nil || len(v) != 1 || v[0].F != want {
			t.Errorf("%s: got %v, %v, want %g", expr, v, err, want)
		}
	}
	if fired := w.history(); len(fired) != 1 || fired[0].Alert != "Busy" {
		t.Errorf("got %v", fired)
	}
	if scrapes, failed := w.state(); scrapes != 2 || failed != nil || w.time().Sub(from) != 2*time.Minute {
		t.Errorf("got %d scrapes, %v, %s later", scrapes, failed, w.time().Sub(from))
	}
}

func TestWatchEndsWithItsReason(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rules  string
		change func(*service)
		want   string
		rule   bool
	}{
		"the request fails":              {"", func(s *service) { s.responds(func() (int, string) { return http.StatusInternalServerError, "" }) }, "500", false},
		"the page is not a metrics page": {"", func(s *service) { s.serves("<html>") }, "/metrics", false},
		"the process has exited":         {"", func(s *service) { close(s.exited) }, "the service ended with no exit status", false},
		"a rule that cannot be read":     {`{record: "shop:jobs", expr: jobs * on() jobs}`, func(s *service) { s.serves("jobs{a=\"1\"} 1\njobs{a=\"2\"} 1\n") }, "shop:jobs", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "jobs 7\n")
			tc.change(s)
			w := s.watch(t, time.Minute, tc.rules)
			from := w.time()
			err := w.run(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || !errors.Is(w.trouble(), err) {
				t.Fatalf("got %v, trouble %v, want %q", err, w.trouble(), tc.want)
			}
			if _, rule := errors.AsType[ruleError](err); rule != tc.rule {
				t.Errorf("got %T", err)
			}
			if !tc.rule && !w.time().Equal(from) {
				t.Error("the clock has moved")
			}
			if err := w.pass(t.Context(), time.Hour); !errors.Is(err, w.trouble()) {
				t.Errorf("waiting: got %v", err)
			}
		})
	}
}

func TestStoppedWatchHasNoError(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := newService(t, "")
	s.responds(func() (int, string) { stop(); return http.StatusOK, "jobs 7\n" })
	w := s.watch(t, time.Minute, "")
	if err := w.run(ctx); err != nil || w.trouble() != nil {
		t.Errorf("got %v, trouble %v", err, w.trouble())
	}
}

func TestPassWaitsForTheStretchedClock(t *testing.T) {
	t.Parallel()
	s := newService(t, "jobs 7\n")
	w := s.running(t, time.Hour)
	from := w.time()
	if err := w.pass(t.Context(), 2*time.Hour); err != nil || w.time().Before(from.Add(2*time.Hour)) || s.scrape.Load() < 2 {
		t.Errorf("got %v after %s and %d scrapes", err, w.time().Sub(from), s.scrape.Load())
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := w.pass(ctx, 1000*time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEverySeriesHasTheTargetLabels(t *testing.T) {
	t.Parallel()
	got := targetLabels(map[string]string{"job": "shop"}, "deployment_environment_name", "127.0.0.1:1")
	if want := labels.FromStrings("deployment_environment_name", "verify", "instance", "127.0.0.1:1", "job", "shop"); !labels.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Another version is scraped from the next scrape on, under its own address. The one before ends, so that it does not
// count as an instance.
func TestReplacedChildEnds(t *testing.T) {
	t.Parallel()
	old, next := newService(t, "jobs 7\n"), newService(t, "jobs 1\n")
	w := old.watch(t, time.Minute, "")
	if err := w.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("does not start")
	if err := w.replace(func() (*child, metricstore.Target, error) { return nil, metricstore.Target{}, refused }); !errors.Is(err, refused) || w.child != old.child {
		t.Fatalf("got %v", err)
	}
	err := w.replace(func() (*child, metricstore.Target, error) {
		return next.child, metricstore.Target{Labels: labels.FromStrings("job", "shop", "instance", "next")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]float64{"sum(jobs)": 1, "count(up)": 1, "sum(jobs offset 1m)": 7} {
		if v, err := w.query(t.Context(), expr); err != nil || len(v) != 1 || v[0].F != want {
			t.Errorf("%s: got %v, %v, want %g", expr, v, err, want)
		}
	}
}
