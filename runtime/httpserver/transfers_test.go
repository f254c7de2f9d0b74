package httpserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// A shutdown cuts remaining transfers after half of its budget, in steps of any size. They count
// as client errors, and their log lines name the shutdown.
func TestAStopCutsTransfersAtHalfOfItsBudget(t *testing.T) {
	t.Parallel()
	const budget = 20 * time.Second
	for name, transfer := range map[string]func(net.Conn){
		"a body that arrives in steps below 50 ms":   func(c net.Conn) { upload(c, 10, 40*time.Millisecond) },
		"a body that arrives in steps above 50 ms":   func(c net.Conn) { upload(c, 100, 400*time.Millisecond) },
		"a body that arrives in steps of 3 s":        func(c net.Conn) { upload(c, 2000, 3*time.Second) },
		"a body that arrives at 1 MB/s":              func(c net.Conn) { upload(c, 10_000, 10*time.Millisecond) },
		"a response that is read below 50 ms":        func(c net.Conn) { download(c, 1000, 10*time.Millisecond) },
		"a response that is read in steps of 3 s":    func(c net.Conn) { download(c, 200_000, 3*time.Second) },
		"a response that is read steadily at 4 MB/s": func(c net.Conn) { download(c, 40_000, 10*time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer endClients()
				var log bytes.Buffer
				s, dial := serveLogged(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						WriteProblem(w, r, err)
						return
					}
					_, _ = w.Write(make([]byte, 100<<20))
				}), &log)
				go transfer(dial())
				time.Sleep(time.Second)
				took, err := stop(s, budget)
				if err != nil || took < budget/2 || took > budget/2+2*stopLook {
					t.Errorf("the shutdown took %s and returned %v", took, err)
				}
				synctest.Wait()
				if got := ended(s, http.MethodGet, semconv.OutcomeClientError) + ended(s, http.MethodPost, semconv.OutcomeClientError); got != 1 {
					t.Errorf("%g requests ended as client_error, want 1", got)
				}
				lines := log.String()
				for _, want := range []string{`"msg":"transfers cut during shutdown","transfers":1`, `"http_response_status_code":499,`, `"error":"cut during shutdown"`} {
					if !strings.Contains(lines, want) {
						t.Errorf("the log has no %s:\n%s", want, lines)
					}
				}
			})
		})
	}
}

// endClients lets clients of a stopped server detect that their connections are closed.
func endClients() { time.Sleep(time.Minute) }

// upload sends a body, size bytes at a time.
func upload(conn net.Conn, size int, every time.Duration) {
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n")
	for err == nil {
		_, err = conn.Write(make([]byte, size))
		time.Sleep(every)
	}
}

// download reads a response, size bytes at a time.
func download(conn net.Conn, size int, every time.Duration) {
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for err == nil {
		_, err = io.ReadFull(conn, make([]byte, size))
		time.Sleep(every)
	}
}

// A handler that works between its reads and writes is no transfer: a shutdown waits for it until
// the end of its budget, even if clients transfer all the time.
func TestShutdownWaitsForWorkBetweenWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer endClients()
		const budget = 20 * time.Second
		worked := make(chan error, 1)
		s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_, _ = io.Copy(io.Discard, r.Body)
				return
			}
			var err error
			for end := time.Now().Add(budget * 3 / 4); time.Now().Before(end) && err == nil; time.Sleep(100 * time.Millisecond) {
				_, err = w.Write(make([]byte, 2*writeBuffer))
			}
			worked <- errors.Join(err, r.Context().Err())
		}))
		go upload(dial(), 10, 40*time.Millisecond)
		go download(dial(), 2*writeBuffer, 10*time.Millisecond)
		time.Sleep(time.Second)
		took, err := stop(s, budget)
		if err != nil || took < budget/2+time.Second || took > budget*3/4+2*stopLook {
			t.Errorf("the shutdown took %s and returned %v", took, err)
		}
		if err := <-worked; err != nil {
			t.Errorf("the working request ended with %v", err)
		}
	})
}

// A stream is no transfer, even if it waits for messages of its client: a shutdown waits for it.
func TestShutdownWaitsForAStreamThatReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer endClients()
		ended := make(chan error, 1)
		s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			beginStream(w)
			go func() { _, _ = io.Copy(io.Discard, r.Body) }()
			select {
			case <-time.After(10 * time.Second):
			case <-r.Context().Done():
			}
			ended <- r.Context().Err()
		}))
		conn := dial()
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
		time.Sleep(time.Second)
		took, err := stop(s, 40*time.Second)
		if cut := <-ended; cut != nil {
			t.Errorf("the shutdown took %s, returned %v and ended the stream with %v", took, err, cut)
		}
	})
}

// A handler that still works at the end of the budget fails the shutdown.
func TestShutdownFailsForWorkThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer endClients()
		s, dial := serveOnPipes(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_, _ = io.Copy(io.Discard, r.Body)
				return
			}
			<-r.Context().Done()
		}))
		go upload(dial(), 10, 40*time.Millisecond)
		go download(dial(), 1, time.Second)
		time.Sleep(time.Second)
		if took, err := stop(s, 20*time.Second); err == nil || took < 20*time.Second {
			t.Errorf("the shutdown took %s and returned %v", took, err)
		}
	})
}

// steadyConn reads 500 kB/s.
type steadyConn struct{ net.Conn }

func (c steadyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	time.Sleep(2 * time.Duration(n) * time.Microsecond)
	return n, err
}

// 100 streams share a connection with 500 kB/s, so each one moves slowly. The shutdown waits for
// all of them, because they end within half of its budget.
func TestShutdownWaitsForStreamsOfOneConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer endClients()
		const size, streams, budget = 95_000, maxStreams, 40 * time.Second
		s, dial := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }))
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{
			Protocols:   protocols,
			HTTP2:       &http.HTTP2Config{MaxReceiveBufferPerStream: 1 << 20, MaxReceiveBufferPerConnection: 16 << 20},
			DialContext: func(context.Context, string, string) (net.Conn, error) { return steadyConn{dial()}, nil },
		}
		defer transport.CloseIdleConnections()
		var clients sync.WaitGroup
		var whole atomic.Int64
		for range streams {
			clients.Go(func() {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a/", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := transport.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if n, err := io.Copy(io.Discard, res.Body); err == nil && n == size {
					whole.Add(1)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		took, err := stop(s, budget)
		if err != nil || took > budget/2 {
			t.Errorf("the shutdown took %s and returned %v", took, err)
		}
		clients.Wait()
		if whole.Load() != streams {
			t.Errorf("%d of %d responses arrived", whole.Load(), streams)
		}
	})
}

// gone is a writer whose client has disconnected.
type gone struct {
	http.ResponseWriter
	statuses []int
}

func (g *gone) Write([]byte) (int, error) { return 0, net.ErrClosed }
func (g *gone) WriteHeader(status int)    { g.statuses = append(g.statuses, status) }

// A framework that responds again after a failed write causes no log line of net/http, which logs
// each superfluous status.
func TestNoSecondStatusAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	s, _ := serveOnPipes(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		if _, err := io.WriteString(w, "x"); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	w := &gone{ResponseWriter: httptest.NewRecorder()}
	s.http.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if !slices.Equal(w.statuses, []int{http.StatusOK}) {
		t.Errorf("net/http gets the statuses %v, want 200 alone", w.statuses)
	}
}
