package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpclient"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// callsOf returns the counts above zero, as purpose, outcome and count.
func callsOf(t *testing.T, s *service) []string {
	t.Helper()
	families, err := s.telemetry.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		if f.GetName() != semconv.HTTPClientCalls {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels[semconv.LabelPeerName] != "payments" || labels[semconv.LabelServerAddress] != "127.0.0.1" {
				t.Errorf("a series of %v", labels)
			}
			if n := m.GetCounter().GetValue(); n > 0 {
				out = append(out, fmt.Sprintf("%s %s %g", labels[semconv.LabelPurpose], labels[semconv.LabelOutcome], n))
			}
		}
	}
	slices.Sort(out)
	return out
}

func payments(t *testing.T, cfg httpclient.UpstreamConfig) (*service, *httpclient.Upstream) {
	t.Helper()
	s := newService(t)
	cfg.Attempts = max(1, cfg.Attempts)
	u, err := httpclient.NewUpstream(s, "payments", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, u
}

// hijack writes a raw response and closes the connection.
func hijack(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}
}

func TestCallsAreCountedByOutcome(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"200":                        {status(200), "success"},
		"404":                        {status(404), "client_error"},
		"429":                        {status(429), "shed"},
		"503 with Retry-After":       {status(503, "Retry-After", "60"), "shed"},
		"503":                        {status(503), "server_error"},
		"500":                        {status(500), "server_error"},
		"no response":                {hijack(""), "server_error"},
		"a body that ends too early": {hijack("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), "server_error"},
		"a redirect to another host": {status(302, "Location", "http://other.test/"), "server_error"},
		"a loop of redirects":        {status(302, "Location", "/again"), "server_error"},
		"a malformed redirect":       {status(302, "Location", "http://[::bad"), "server_error"},
		"one redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/old" {
				http.Redirect(w, r, "/new", http.StatusFound)
			}
		}, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			server.handle(tc.handler)
			s, u := payments(t, httpclient.UpstreamConfig{URL: server.URL})
			_, _ = get(t, u, "/old")
			if got, want := callsOf(t, s), []string{"request " + tc.want + " 1"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestChecksAreCountedApart(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s, u := payments(t, httpclient.UpstreamConfig{URL: server.URL})
	if err := u.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _ = get(t, u, "/")
	if got, want := callsOf(t, s), []string{"check success 1", "request success 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Clients of a service choose the deadline of their requests. They must not open the breaker for others.
func TestImpatientCallersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	server.handle(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	})
	s, u := payments(t, httpclient.UpstreamConfig{URL: server.URL, Config: httpclient.Config{Timeout: time.Minute, BreakerRatio: 0.5, BreakerOpen: 10 * time.Millisecond}})
	impatient := func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		r, err := u.NewRequest(ctx, http.MethodGet, "/slow", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := send(t, u, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want the deadline of the caller", err)
		}
	}
	for range 60 {
		impatient()
	}
	if _, err := get(t, u, "/"); err != nil {
		t.Errorf("after impatient callers: %v", err)
	}
	if got, want := callsOf(t, s), []string{"request client_error 60", "request success 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	// A trial of a caller that gives up leaves the breaker half-open.
	server.respond(http.StatusInternalServerError)
	for range 30 {
		_, _ = get(t, u, "/")
	}
	if _, err := get(t, u, "/"); !errors.Is(err, httpclient.ErrBreakerOpen) {
		t.Fatalf("got %v, want an open breaker", err)
	}
	server.handle(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for trials := 0; trials < 3; {
		r, err := u.NewRequest(t.Context(), http.MethodGet, "/slow", nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err = send(t, u, r.WithContext(ctx))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			trials++
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d trials", trials)
		}
	}
	if _, err := get(t, u, "/"); err != nil {
		t.Errorf("after impatient trials: %v", err)
	}
}

// A check must end, whatever the upstream does with the connection, and only a complete response is healthy.
func TestCheckOfBrokenResponses(t *testing.T) {
	t.Parallel()
	upgrade := func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
		<-r.Context().Done()
	}
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    string // part of the error
	}{
		"a body that ends too early": {hijack("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), "status 200, but the body ended with: unexpected EOF"},
		"a body that hangs": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "status 200, but the body ended with: "},
		"a connection that is upgraded": {upgrade, "status 101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			server.handle(tc.handler)
			s, u := payments(t, httpclient.UpstreamConfig{URL: server.URL})
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			checked := make(chan error, 1)
			go func() { checked <- u.Check(ctx) }()
			select {
			case err := <-checked:
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the check does not end")
			}
			if got := callsOf(t, s); len(got) != 1 || !strings.HasPrefix(got[0], "check ") {
				t.Errorf("got %q", got)
			}
		})
	}
}
