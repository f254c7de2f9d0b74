package httpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// pipes is a listener whose connections have no buffers, so that a test in synctest decides when
// and how long a read or write blocks.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// serveOnPipes starts a server that ends with the test, and returns a function that connects to
// it.
func serveOnPipes(t *testing.T, h http.Handler) (s *Server, dial func() net.Conn) {
	t.Helper()
	return serveLogged(t, h, io.Discard)
}

// serveLogged is serveOnPipes with the access lines of all requests in log.
func serveLogged(t *testing.T, h http.Handler, log io.Writer) (s *Server, dial func() net.Conn) {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: log})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewObserver(Options{Telemetry: tel, Config: Config{H2C: true, BodyLimit: 1 << 30, AccessLog: AccessAll}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = New(o, h); err != nil {
		t.Fatal(err)
	}
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	go func() { _ = s.http.Serve(p) }()
	t.Cleanup(func() { _ = s.http.Close() })
	return s, func() net.Conn {
		client, server := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		p.conns <- server
		return client
	}
}

// ended returns the number of requests without a known route that ended with the outcome.
func ended(s *Server, method, outcome string) float64 {
	return testutil.ToFloat64(s.observer.metrics.requests.WithLabelValues(method, semconv.RouteUnmatched, outcome))
}

// A client that reads steadily is not cut when memory is short, however long its response takes.
// Here, the client reads one write or file for two seconds. The request is not in flight for most
// of that time, because the service has nothing to do.
func TestSteadyReadersAreNotCut(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	file := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, respond := range map[string]http.HandlerFunc{
		"Write":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) },
		"WriteString": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", size)) },
		"ServeFile":   func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		"CopyN": func(w http.ResponseWriter, _ *http.Request) {
			f, err := os.Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			_, _ = io.CopyN(w, f, size)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, left := time.Now(), make(chan time.Duration, 1)
				s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.(interface{ OnRelease(f func()) }).OnRelease(func() { left <- time.Since(began) })
					respond(w, r)
				}))
				conn := dial()
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				res, err := http.ReadResponse(bufio.NewReaderSize(conn, 128<<10), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				for read, buf := 0, make([]byte, 128<<10); ; {
					n, err := io.ReadFull(res.Body, buf)
					if read += n; err != nil {
						if read != size {
							t.Errorf("%d of %d bytes arrived, then %v", read, size, err)
						}
						break
					}
					time.Sleep(10 * time.Millisecond)
					s.observer.CutSlowReaders()
				}
				select {
				case after := <-left:
					if after > 2*blockedAfter {
						t.Errorf("the request released its slot after %s", after)
					}
				default:
					t.Error("the request kept its slot")
				}
			})
		})
	}
}

// A write that fails at its deadline is a client error if the client blocked writes, and a server
// error if the handler took the time.
func TestMissedWriteDeadlineIsAttributed(t *testing.T) {
	t.Parallel()
	const size = 2 << 20 // more than the window of a stream
	for name, tc := range map[string]struct {
		respond func(write func())
		pause   time.Duration // of the client after each read
		want    string
		slow    float64
	}{
		"a handler that hangs between two writes": {func(write func()) {
			write()
			time.Sleep(36 * time.Second) // beyond the request timeout and writeGrace
			write()
		}, 0, semconv.OutcomeServerError, 0},
		"a client that blocks the last write": {func(write func()) { write() }, time.Minute, semconv.OutcomeClientError, 1},
		"a client that blocked the writes before the last one": {func(write func()) {
			for began := time.Now(); time.Since(began) < 25*time.Second; {
				write()
			}
			time.Sleep(12 * time.Second)
			write()
		}, 20 * time.Millisecond, semconv.OutcomeClientError, 1},
	} {
		for version := 1; version <= 2; version++ {
			t.Run(fmt.Sprintf("%s, HTTP/%d", name, version), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						tc.respond(func() { _, _ = w.Write(make([]byte, size)) })
					}))
					protocols := new(http.Protocols)
					protocols.SetHTTP1(version == 1)
					protocols.SetUnencryptedHTTP2(version == 2)
					transport := &http.Transport{
						Protocols:   protocols,
						HTTP2:       &http.HTTP2Config{MaxReceiveBufferPerStream: size / 4},
						DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(), nil },
					}
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a/", http.NoBody)
					if err != nil {
						t.Fatal(err)
					}
					res, err := transport.RoundTrip(req)
					if err != nil {
						t.Fatal(err)
					}
					for buf := make([]byte, 8<<10); err == nil; time.Sleep(tc.pause) {
						_, err = res.Body.Read(buf)
					}
					_ = res.Body.Close()
					transport.CloseIdleConnections()
					endClients()
					if got := ended(s, http.MethodGet, tc.want); got != 1 {
						t.Errorf("%g requests ended as %s, want 1", got, tc.want)
					}
					slow := s.observer.metrics.cut.WithLabelValues(semconv.SlowResponse)
					if got := testutil.ToFloat64(slow); got != tc.slow {
						t.Errorf("%g responses were read too slowly, want %g", got, tc.slow)
					}
				})
			})
		}
	}
}

// stop shuts the server down within the budget, and returns how long it took.
func stop(s *Server, budget time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	began := time.Now()
	err := s.Shutdown(ctx)
	return time.Since(began), err
}

// A shutdown waits for a body that arrives steadily.
func TestShutdownWaitsForASteadyUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const chunk, chunks = 10 << 10, 800 // 1 MB/s for 8 s
		received := make(chan error, 1)
		s, dial := serveOnPipes(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			received <- err
		}))
		conn := dial()
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		go func() {
			_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", chunk*chunks)
			for range chunks {
				_, _ = conn.Write(make([]byte, chunk))
				time.Sleep(10 * time.Millisecond)
			}
		}()
		time.Sleep(time.Second)
		if took, err := stop(s, time.Minute); err != nil || took < stillWait {
			t.Errorf("the shutdown took %s and returned %v", took, err)
		}
		if err := <-received; err != nil {
			t.Errorf("the upload ended with %v", err)
		}
	})
}

// A request whose read and write both wait for the client counts as one transfer, and does not
// hide a request that is still working.
func TestShutdownCountsATransferOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		worked := make(chan error, 1)
		s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/work" {
				select {
				case <-time.After(20 * time.Second):
				case <-r.Context().Done():
				}
				worked <- r.Context().Err()
				return
			}
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				t.Error(err)
			}
			go func() { _, _ = io.Copy(io.Discard, r.Body) }()
			_, _ = w.Write(make([]byte, 1<<20))
		}))
		duplex, work := dial(), dial()
		_, _ = io.WriteString(duplex, "POST /duplex HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
		_, _ = io.WriteString(work, "GET /work HTTP/1.1\r\nHost: a\r\n\r\n")
		go func() { _, _ = io.Copy(io.Discard, work) }()
		time.Sleep(time.Second)
		if took, err := stop(s, time.Minute); err != nil {
			t.Errorf("the shutdown took %s and returned %v", took, err)
		}
		if err := <-worked; err != nil {
			t.Errorf("the request that worked was canceled: %v", err)
		}
	})
}

// A shutdown does not wait for clients that send or read nothing, and leaves no transfer
// registered.
func TestShutdownCutsIdleTransfers(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"a body that does not arrive":              "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx",
		"a response that the client does not read": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						_, _ = w.Write(make([]byte, 1<<20))
					}
				}))
				conn := dial()
				_, _ = io.WriteString(conn, request)
				// The body may reach its deadline first; then the response is not read.
				if took, err := stop(s, time.Minute); err != nil || took > 2*stillWait+time.Second {
					t.Errorf("the shutdown took %s and returned %v", took, err)
				}
				synctest.Wait()
				if left, active := len(s.observer.transfers.progress()), s.observer.metrics.active.Load(); left != 0 || active != 0 {
					t.Errorf("after the shutdown %d transfers are registered and %d requests active", left, active)
				}
			})
		})
	}
}

// A request is registered once, and not after its end: a read on another goroutine may outlast
// its handler.
func TestARequestIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	var all transfers
	x := &requestState{}
	all.add(x)
	all.add(x)
	if got := len(all.progress()); got != 1 {
		t.Errorf("%d requests are registered, want 1", got)
	}
	all.remove(x)
	all.add(x)
	if got := len(all.progress()); got != 0 {
		t.Errorf("%d requests are registered after the end, want none", got)
	}
}

// A read or write counts as blocked after 50 ms, and not if it ends earlier.
func TestBlockedTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &operation{}
		for range 100 {
			o.timer.start(o)
			time.Sleep(blockedAfter - 1)
			o.stop()
		}
		if synctest.Wait(); o.calls != 0 {
			t.Errorf("noteBlocked was called %d times for an operation that ended in time", o.calls)
		}
		for range 2 {
			o.timer.start(o)
			time.Sleep(blockedAfter)
			if synctest.Wait(); o.blocked != 1 {
				t.Errorf("%d are blocked, want 1", o.blocked)
			}
			o.stop()
			if o.blocked != 0 {
				t.Errorf("%d are blocked, want 0", o.blocked)
			}
		}
		// A timer that fires too late does not count for the next operation.
		o.timer.start(o)
		o.noteBlocked()
		during := o.blocked
		o.stop()
		o.noteBlocked()
		if during != 0 || o.blocked != 0 {
			t.Errorf("%d, then %d are blocked by a late timer", during, o.blocked)
		}
	})
}

type operation struct {
	timer          blockedTimer
	calls, blocked int
}

func (o *operation) stop() {
	if o.timer.stop() {
		o.blocked--
	}
}

func (o *operation) noteBlocked() {
	o.calls++
	o.timer.block(func() { o.blocked++ })
}

// copied is an HTTP/1 writer that records the sources of ReadFrom.
type copied struct {
	http.ResponseWriter
	sources []io.Reader
}

func (c *copied) ReadFrom(src io.Reader) (int64, error) {
	c.sources = append(c.sources, src)
	return io.Copy(c.ResponseWriter, src)
}
func (*copied) Flush()                                       {}
func (*copied) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, http.ErrNotSupported }

// The kernel copies from an io.LimitedReader only if it reads a file directly.
func TestTheKernelCopiesFiles(t *testing.T) {
	t.Parallel()
	const size = 3*writeChunk + 1
	file := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }))
	rec := httptest.NewRecorder()
	below := &copied{ResponseWriter: rec}
	s.http.Handler.ServeHTTP(below, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if rec.Body.Len() != size || len(below.sources) != 4 {
		t.Errorf("%d bytes went out in %d parts, want %d in 4", rec.Body.Len(), len(below.sources), size)
	}
	for _, src := range below.sources {
		limited, ok := src.(*io.LimitedReader)
		if !ok {
			t.Fatalf("ReadFrom got a %T", src)
		}
		if _, ok := limited.R.(*os.File); !ok {
			t.Errorf("ReadFrom got a part of a %T", limited.R)
		}
	}
}

// A handler's own read deadline ends the read, unless the server's is earlier.
func TestReadDeadlinesOfHandlers(t *testing.T) {
	t.Parallel()
	const server = bodyGrace
	for name, tc := range map[string]struct {
		set  func(http.ResponseWriter)
		want time.Duration
	}{
		"none":                 {func(http.ResponseWriter) {}, server},
		"before the server's":  {func(w http.ResponseWriter) { readWithin(t, w, 500*time.Millisecond) }, 500 * time.Millisecond},
		"after the server's":   {func(w http.ResponseWriter) { readWithin(t, w, time.Hour) }, server},
		"moved":                {func(w http.ResponseWriter) { readWithin(t, w, time.Second); readWithin(t, w, 2*time.Second) }, 2 * time.Second},
		"removed":              {func(w http.ResponseWriter) { readWithin(t, w, time.Second); readWithin(t, w, 0) }, server},
		"while it reads":       {func(w http.ResponseWriter) { time.AfterFunc(time.Second, func() { readWithin(t, w, time.Second) }) }, 2 * time.Second},
		"of a stream":          {func(w http.ResponseWriter) { readWithin(t, w, 9*time.Second); beginStream(w) }, 9 * time.Second},
		"after a stream began": {func(w http.ResponseWriter) { beginStream(w); readWithin(t, w, 9*time.Second) }, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				took := make(chan time.Duration, 1)
				_, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					began := time.Now()
					tc.set(w)
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						t.Error("the body arrived")
					}
					took <- time.Since(began)
				}))
				conn := dial()
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
				if got := <-took; got.Round(100*time.Millisecond) != tc.want {
					t.Errorf("the read ended after %s, want %s", got, tc.want)
				}
			})
		})
	}
}

// readWithin sets a read deadline as a handler does; 0 sets none.
func readWithin(t *testing.T, w http.ResponseWriter, d time.Duration) {
	t.Helper()
	var by time.Time
	if d != 0 {
		by = time.Now().Add(d)
	}
	if err := http.NewResponseController(w).SetReadDeadline(by); err != nil {
		t.Error(err)
	}
}

// beginStream begins a response while the handler continues to read.
func beginStream(w http.ResponseWriter) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Content-Type", eventStream)
	_ = http.NewResponseController(w).Flush()
}

// A read deadline does not end a request whose body has arrived.
func TestReadDeadlinesEndWithTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		_, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			readWithin(t, w, time.Second)
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(2 * bodyGrace):
			case <-r.Context().Done():
			}
			ended <- r.Context().Err()
		}))
		conn := dial()
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
		if err := <-ended; err != nil {
			t.Errorf("the request ended with %v", err)
		}
	})
}
