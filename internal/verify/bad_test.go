package verify

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/report"
)

// misbehave verifies a service that misbehaves and returns the failed checks.
func misbehave(t *testing.T, mode string, only []string, env ...string) (failures string, err error) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs a service")
	}
	t.Setenv("TMPDIR", t.TempDir())
	report, err := Run(t.Context(), Subject{Dir: ".", Package: "./testdata/fake"}, Options{
		Only: only, Env: append([]string{"FAKE=" + mode}, env...), StartWithin: 3 * time.Second, StopWithin: 500 * time.Millisecond,
	})
	var out []string
	for _, p := range report.Checks {
		if p.Failed() {
			out = append(out, p.Section+": "+p.Name+": "+p.Detail)
		}
	}
	nothingLeft(t)
	return strings.Join(out, "\n"), err
}

// nothingLeft checks that the run has removed every file that it created.
func nothingLeft(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestServicesThatMisbehave(t *testing.T) {
	for _, tc := range []struct{ mode, want string }{
		{"no start", "service: it starts and becomes ready: the service ended with exit status 64\nfake: SHOP_KEY is not set; set it to the key of the shop"},
		{"no metrics", `/metrics: the answer is 404 Not Found`},
		{"html", `the page has the content type "text/html"`},
		{"malformed", `line 3 of the page is malformed`},
		{"huge", `the page has more than 16777216 bytes`},
		{"crash", "service: it keeps running and responds to every scrape: the service ended with exit status 2\npanic: assignment to entry in nil map"},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			for _, only := range [][]string{nil, {sectionDashboards}} {
				got, err := misbehave(t, tc.mode, only)
				if err != nil || !strings.Contains(got, tc.want) {
					t.Errorf("only %q: got %q, %v\nwant %q", only, got, err, tc.want)
				}
			}
		})
	}
}

// Responses of another program never count, regardless of how the run got its address.
func TestResponsesOfAnotherProgramDoNotCount(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1\n"))
	}))
	t.Cleanup(other.Close)
	for mode, want := range map[string]string{
		"log of another":     "service: it starts and becomes ready: waited for a line that says that it started: it did not happen within 3s",
		"address of another": "service: the metrics come from this process: " + other.URL + "/metrics comes from a process that started at 1970-01-01T00:00:01Z",
		"":                   "has no process_start_time_seconds, which every service on runtime.Main exposes",
	} {
		t.Run(mode, func(t *testing.T) {
			got, err := misbehave(t, mode, nil, "OTHER="+strings.TrimPrefix(other.URL, "http://"))
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("got %q, %v\nwant %q", got, err, want)
			}
		})
	}
}

func TestServiceThatDoesNotStop(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs a service")
	}
	s, err := newSession(Subject{Dir: ".", Package: "./testdata/fake"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.temp) })
	if err := s.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := launch(t.Context(), s.binary, ".", append(os.Environ(), "FAKE=hang"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	err = c.stop(200 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "still ran 200ms after SIGTERM and was killed") {
		t.Errorf("got %v", err)
	}
	if c.running() {
		t.Error("it still runs")
	}
}

// An interrupt at any time ends the run with an error and leaves no files.
func TestInterrupts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a service")
	}
	for _, at := range []string{"reading the declarations", "starting the service", "sending requests to every route", "stopping the service"} {
		t.Run(at, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			ctx, interrupt := context.WithCancelCause(t.Context())
			partial, err := Run(ctx, Subject{Dir: ".", Package: "./testdata/fake"}, Options{Env: []string{"FAKE=well"}, TrailWithin: time.Second, Progress: func(what string) {
				if strings.HasPrefix(what, at) {
					interrupt(errors.New("Ctrl-C"))
				}
			}})
			if err == nil || !strings.Contains(err.Error(), "interrupted: Ctrl-C") {
				t.Errorf("got %v", err)
			}
			if _, ok := errors.AsType[*InterruptedError](err); !ok || !partial.Interrupted {
				t.Errorf("the report does not say that it is partial: %T", err)
			}
			var notRun []string
			for _, p := range partial.Checks {
				switch p.Status {
				case report.Failed:
					if at != "stopping the service" { // checks before the interrupt failed because the fake is incomplete
						t.Errorf("%s: %s: %s", p.Section, p.Name, p.Detail)
					}
				case report.NotRun:
					notRun = append(notRun, p.Section)
				}
			}
			if !slices.Contains(notRun, sectionService) || at != "stopping the service" && !slices.Contains(notRun, sectionDashboards) {
				t.Errorf("reported as not run: %q", notRun)
			}
			if slices.ContainsFunc(partial.Checks, func(p report.Check) bool { return p.Name == "it stops on SIGTERM" }) {
				t.Error("what happened after the interrupt was judged")
			}
			if started := at == "sending requests to every route" || at == "stopping the service"; started != slices.ContainsFunc(partial.Checks, func(p report.Check) bool { return p.Status == report.Passed }) {
				t.Errorf("what was judged before: %+v", partial.Checks)
			}
			nothingLeft(t)
		})
	}
}

// Sections that are not selected do not run, and the report lists them as skipped.
func TestOnlySelectedSectionsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a service")
	}
	for _, tc := range []struct {
		only  string
		steps []string
	}{
		{"service", []string{"starting the service", "checking that the metrics come from this process", "stopping the service"}},
		{"one request", []string{"starting the service", "checking that the metrics come from this process", "following one request through all signals", "stopping the service"}},
		{"alert simulation", nil},
	} {
		t.Run(tc.only, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			var steps []string
			partial, err := Run(t.Context(), Subject{Dir: ".", Package: "./testdata/fake"}, Options{
				Env: []string{"FAKE=well"}, Only: []string{tc.only}, TrailWithin: time.Second, Progress: func(what string) {
					if what != "building ./testdata/fake" && what != "reading the declarations of the service" {
						steps = append(steps, what)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(steps, tc.steps) {
				t.Errorf("got  %q\nwant %q", steps, tc.steps)
			}
			for _, section := range Sections() {
				all := partial.Of(section)
				skipped := len(all) == 1 && all[0].Detail == "not selected with --only"
				if len(all) == 0 || skipped == (section == tc.only) {
					t.Errorf("%s: %+v", section, all)
				}
			}
		})
	}
}

func TestServiceThatDoesNotBuild(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Subject{Dir: ".", Package: "./testdata/nothing"}, Options{})
	if err == nil || !strings.Contains(err.Error(), "go build ./testdata/nothing") {
		t.Errorf("got %v", err)
	}
}

// A check that did not run counts as failed.
func TestNotRunIsAFailure(t *testing.T) {
	t.Parallel()
	r := report.Report{Checks: []report.Check{{Status: report.Passed}, {Status: report.NotRun}, {Status: report.Skipped}}}
	if r.Failures() != 1 {
		t.Errorf("%d failures, want 1", r.Failures())
	}
}
