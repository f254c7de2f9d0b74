package overload

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// full returns a limiter whose only slot is taken.
func full(t *testing.T, cfg Config) *Limiter {
	t.Helper()
	cfg.MinLimit, cfg.InitialLimit, cfg.MaxLimit = 1, 1, 1
	l := simLimiter(t, cfg)
	if _, err := l.Acquire(t.Context(), Default); err != nil {
		t.Fatal(err)
	}
	return l
}

func get(h http.Handler, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRejectionHasRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		called := false
		h := full(t, Config{}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }), nil)
		began := time.Now()
		w := get(h)
		if w.Code != http.StatusServiceUnavailable || called {
			t.Errorf("status %d, handler called: %t", w.Code, called)
		}
		if s := w.Header().Get("Retry-After"); s != "1" && s != "2" && s != "3" {
			t.Errorf("Retry-After: %q", s)
		}
		if waited := time.Since(began); waited != untoldPatience {
			t.Errorf("it waited %s, not the maximum time", waited)
		}
	})
}

// A request that cannot complete before the client's deadline is neither admitted nor queued.
func TestNothingIsBegunThatCannotEndInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := full(t, Config{QueueWait: time.Second})
		l.rule.fastest = 0.030
		h := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }), nil)
		for _, tc := range []struct {
			timeout string
			waits   time.Duration
		}{
			{"20", 0}, {"30", 0}, {"100", 70 * time.Millisecond},
		} {
			began := time.Now()
			w := get(h, semconv.HeaderTimeout, tc.timeout)
			if waited := time.Since(began); waited != tc.waits {
				t.Errorf("with %s ms left it waited %s, want %s", tc.timeout, waited, tc.waits)
			}
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "deadline") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		wantShed(t, l, Default, ReasonDeadline, 3)
	})
}

// The handler's context ends at the client's deadline or the server's, whichever is first.
func TestTheDeadlineOfTheCallerIsHonoured(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		header []string
		own    time.Duration
		want   time.Duration
	}{
		{"none", nil, 30 * time.Second, 30 * time.Second},
		{"envoy", []string{semconv.HeaderTimeout, "250"}, 30 * time.Second, 250 * time.Millisecond},
		{"grpc", []string{semconv.HeaderGRPCTimeout, "3S"}, 30 * time.Second, 3 * time.Second},
		{"connect", []string{semconv.HeaderConnectTimeout, "1500"}, 30 * time.Second, 1500 * time.Millisecond},
		{"the shortest of several", []string{semconv.HeaderTimeout, "900", semconv.HeaderGRPCTimeout, "300m"}, 30 * time.Second, 300 * time.Millisecond},
		{"longer than the request timeout", []string{semconv.HeaderTimeout, "9999999999"}, time.Second, time.Second},
		{"nonsense", []string{semconv.HeaderTimeout, "-1"}, time.Second, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := simLimiter(t, Config{}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					deadline, _ := r.Context().Deadline()
					if left := time.Until(deadline); left != tc.want {
						t.Errorf("%s are left, want %s", left, tc.want)
					}
				}), nil)
				ctx, cancel := context.WithTimeout(t.Context(), tc.own)
				defer cancel()
				r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
				for i := 0; i+1 < len(tc.header); i += 2 {
					r.Header.Set(tc.header[i], tc.header[i+1])
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			})
		})
	}
}

func TestAHandlerThatGivesUpInSilenceIsAnsweredFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{})
		h := l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil)
		if w := get(h, semconv.HeaderTimeout, "40"); w.Code != http.StatusGatewayTimeout {
			t.Errorf("status %d, want 504", w.Code)
		}
		h = l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			<-r.Context().Done()
		}), nil)
		if w := get(h, semconv.HeaderTimeout, "40"); w.Code != http.StatusAccepted || w.Body.Len() != 0 {
			t.Errorf("a response that had begun became %d %q", w.Code, w.Body)
		}
	})
}

func TestPriorityReachesTheHandlerOnlyFromThoseWhoAreTrusted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sent    string
		trusted bool
		want    Priority
	}{
		{"critical", true, Critical}, {"critical", false, Default},
		{"sheddable", true, Sheddable}, {"sheddable", false, Sheddable},
		{"default", true, Default}, {"CRITICAL", true, Default}, {"critical ", true, Default}, {"\x00", true, Default}, {"", true, Default},
	} {
		h := simLimiter(t, Config{TrustedPriority: tc.trusted}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := PriorityOf(r.Context()); got != tc.want {
				t.Errorf("%q, trusted %t: the handler sees %s, want %s", tc.sent, tc.trusted, got, tc.want)
			}
		}), nil)
		get(h, semconv.HeaderPriority, tc.sent)
	}
}

// A stream that lasts for hours must not block others. A request that only asks for a stream must
// not bypass the limit.
func TestAStreamLeavesItsPlace(t *testing.T) {
	t.Parallel()
	streamed := func(contentType string, status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
		}
	}
	write := func(contentType string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, "data: 1\n\n")
		}
	}
	flush := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
	}
	for _, tc := range []struct {
		name   string
		header []string
		begin  func(http.ResponseWriter)
		other  int // status of another request while the handler runs
	}{
		{"an upgrade", []string{"Upgrade", "websocket"}, streamed("", http.StatusSwitchingProtocols), http.StatusOK},
		{"an event stream", []string{"Accept", "text/event-stream"}, streamed("text/event-stream", http.StatusOK), http.StatusOK},
		{"an event stream without a status", []string{"Accept", "text/event-stream"}, write("text/event-stream"), http.StatusOK},
		{"an event stream that begins empty", []string{"Accept", "text/event-stream"}, flush, http.StatusOK},
		{"a stream of messages", []string{"Content-Type", "application/connect+proto"}, streamed("application/connect+proto", http.StatusOK), http.StatusOK},
		{"an upgrade that is ignored", []string{"Upgrade", "x"}, write("application/json"), http.StatusServiceUnavailable},
		{"an event stream that was rejected", []string{"Accept", "text/event-stream"}, streamed("application/problem+json", http.StatusNotFound), http.StatusServiceUnavailable},
		{"a stream that was not requested", nil, streamed("text/event-stream", http.StatusOK), http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := simLimiter(t, Config{MinLimit: 1, InitialLimit: 1, MaxLimit: 1})
			other, nested := 0, false
			var h http.Handler
			h = l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if nested {
					return
				}
				nested = true
				tc.begin(w)
				other = get(h).Code
			}), nil)
			get(h, tc.header...)
			if other != tc.other {
				t.Errorf("another request has status %d, want %d", other, tc.other)
			}
			if l.inFlight != 0 {
				t.Errorf("%d slots are not released", l.inFlight)
			}
		})
	}
}

func TestAPanicGivesThePlaceBack(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	h := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil)
	func() {
		defer func() {
			if p := recover(); !errors.Is(p.(error), http.ErrAbortHandler) {
				t.Errorf("the panic became %v", p)
			}
		}()
		get(h)
	}()
	if l.inFlight != 0 {
		t.Errorf("%d slots are not released", l.inFlight)
	}
}

// A request whose client leaves the queue was not rejected: it is not counted as shed.
func TestACallerThatLeavesIsNotShed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := full(t, Config{QueueWait: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		var left sync.WaitGroup
		left.Go(func() {
			if _, err := l.Acquire(ctx, Default); !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
		})
		synctest.Wait()
		cancel()
		left.Wait()
		if l.queue.length != 0 {
			t.Errorf("%d requests still wait", l.queue.length)
		}
		for r := ReasonLimit; r <= ReasonBodies; r++ {
			wantShed(t, l, Default, r, 0)
		}
	})
}

func TestSwitchedOffItIsNotThere(t *testing.T) {
	t.Parallel()
	l := full(t, Config{})
	l.config.Mode = ModeOff
	next := http.NotFoundHandler()
	if got := get(l.Wrap(next, nil)); got.Code != http.StatusNotFound {
		t.Errorf("the status is %d", got.Code)
	}
	permit, err := l.Acquire(t.Context(), Default)
	if err != nil {
		t.Fatal(err)
	}
	permit.Release(false)
	permit.Forget()
}

// abilities lists the optional interfaces of a writer.
func abilities(w http.ResponseWriter) (all []string) {
	for name, has := range map[string]bool{
		"Flusher": is[http.Flusher](w), "Hijacker": is[http.Hijacker](w), "ReaderFrom": is[io.ReaderFrom](w), "Pusher": is[http.Pusher](w),
	} {
		if has {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func is[T any](w http.ResponseWriter) bool {
	_, ok := w.(T)
	return ok
}

// The writer has exactly the optional interfaces of the wrapped one, whatever the client sends.
func TestTheWriterKeepsItsAbilities(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		for _, header := range [][]string{nil, {"Upgrade", "x"}, {"Accept", "text/event-stream"}, {semconv.HeaderTimeout, "60000"}} {
			var below, inside []string
			limited := simLimiter(t, Config{}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				inside = abilities(w)
				_, _ = io.Copy(w, strings.NewReader("x"))
			}), nil)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if header != nil { // HTTP/2 has no Upgrade header
					r.Header.Set(header[0], header[1])
				}
				below = abilities(w)
				limited.ServeHTTP(w, r)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			server.Close()
			if string(text) != "x" || err != nil {
				t.Errorf("%v: %q %v", header, text, err)
			}
			if len(below) < 2 || !slices.Equal(inside, below) {
				t.Errorf("HTTP/2 %t, %v: the writer has %v, the wrapped one %v", http2, header, inside, below)
			}
		}
	}
}

// The writer still streams: optional interfaces are available.
func TestTheCallersDeadlineKeepsTheWriterWhole(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	server := httptest.NewServer(l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	}), nil))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(semconv.HeaderTimeout, "60000")
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "begun" || err != nil || len(resp.TransferEncoding) == 0 {
		t.Errorf("%q %v %v", text, err, resp.TransferEncoding)
	}
}

// Clients that leave less time than the latency objective do not lower the limit, and the time
// until they reset requests is no latency.
func TestImpatientClientsDoNotTeachTheLimiter(t *testing.T) {
	t.Parallel()
	for name, impatient := range map[string]func(*http.Request) (*http.Request, context.CancelFunc){
		"timeouts": func(r *http.Request) (*http.Request, context.CancelFunc) {
			r.Header.Set(semconv.HeaderTimeout, "40")
			return r, func() {}
		},
		"resets": func(r *http.Request) (*http.Request, context.CancelFunc) {
			ctx, cancel := context.WithCancel(r.Context())
			time.AfterFunc(5*time.Millisecond, cancel)
			return r.WithContext(ctx), cancel
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := simLimiter(t, Config{})
				l.objective = 100 * time.Millisecond
				workers := make(chan struct{}, 8)
				h := l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					select {
					case workers <- struct{}{}:
						defer func() { <-workers }()
					case <-r.Context().Done():
						return
					}
					select {
					case <-time.After(20 * time.Millisecond):
					case <-r.Context().Done():
					}
				}), nil)
				began, lowest := time.Now(), l.rule.limit
				var clients sync.WaitGroup
				for i := range 43 {
					clients.Go(func() {
						if i >= 3 {
							time.Sleep(5 * time.Second)
						}
						for time.Since(began) < 15*time.Second {
							r, cancel := httptest.NewRequest(http.MethodGet, "/", http.NoBody), context.CancelFunc(func() {})
							if i >= 3 {
								r, cancel = impatient(r)
							}
							h.ServeHTTP(httptest.NewRecorder(), r)
							cancel()
							time.Sleep(time.Millisecond)
							l.mu.Lock()
							lowest = min(lowest, l.rule.limit)
							l.mu.Unlock()
						}
					})
				}
				clients.Wait()
				if lowest < float64(l.config.InitialLimit)/2 || l.rule.unqueued < 0.019 {
					t.Errorf("the limit fell to %.0f, and the latency is %.3f s", lowest, l.rule.unqueued)
				}
			})
		})
	}
}
