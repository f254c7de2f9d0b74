package drain

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

// childVariable is the environment variable that makes the test binary run the service.
const childVariable = "DRAIN_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	go func() { // exits when the test process ends, even by a signal: it has the other end of stdin
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	os.Exit(runtime.Main(runtime.Info{Name: "echo"}, runtime.Defaults{}, serve))
}

// serve runs a service with fast and slow requests, WebSockets and event streams.
func serve(ctx context.Context, svc *runtime.Service) error {
	s := &streams{stopping: make(chan struct{})}
	svc.OnDrain("streams", s.drain)
	router := httpserver.NewRouter()
	router.Post("/echo", echo)
	router.Get("/slow", slow)
	router.Post("/hold", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	router.Get("/socket", s.socket)
	router.Get("/events", s.events)
	svc.Handle(router)
	return svc.Run(ctx)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}

// slow takes so long that some requests are in flight at every shutdown.
func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(50 * time.Millisecond):
		_, _ = io.WriteString(w, "slow")
	case <-r.Context().Done():
	}
}

// streams is the open WebSockets and event streams of one process.
type streams struct {
	stopping chan struct{} // closed when the shutdown begins
	mu       sync.Mutex
	open     sync.WaitGroup
	stopped  bool
}

// enter counts a stream. It returns false during a shutdown.
func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.open.Add(1)
	}
	return !s.stopped
}

// drain closes all streams and waits until they are closed.
func (s *streams) drain(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	close(s.stopping)
	closed := make(chan struct{})
	go func() {
		s.open.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// socket echoes messages until the shutdown begins, then closes the connection with
// status 1012, service restart.
func (s *streams) socket(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer s.open.Done()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			kind, data, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	}()
	select {
	case <-s.stopping:
		_ = conn.Close(websocket.StatusServiceRestart, "restarting")
	case <-ended:
	}
}

// events sends numbers until the shutdown begins, then a goodbye event.
func (s *streams) events(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer s.open.Done()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		_, _ = fmt.Fprintf(w, "data: %d\n\n", n)
		if out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-s.stopping:
			_, _ = io.WriteString(w, "event: goodbye\ndata: restarting\n\n")
			_ = out.Flush()
			return
		case <-r.Context().Done():
			return
		}
	}
}
