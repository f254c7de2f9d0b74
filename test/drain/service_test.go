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

// childVariable makes this test binary the service instead of the test.
const childVariable = "DRAIN_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	go func() { // the test holds the other end: the child ends with it, however it ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	os.Exit(runtime.Main(runtime.Info{Name: "echo"}, runtime.Defaults{}, serve))
}

// serve wires a service with short answers, slow ones, and two kinds of streams.
func serve(ctx context.Context, svc *runtime.Service) error {
	s := &streams{bye: make(chan struct{})}
	svc.OnDrain("streams", s.sayGoodbye)
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

// slow is in flight for longer than most, so that every stop meets some.
func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(50 * time.Millisecond):
		_, _ = io.WriteString(w, "slow")
	case <-r.Context().Done():
	}
}

// streams are the long connections of one process.
type streams struct {
	bye  chan struct{} // closed when the process begins to stop
	mu   sync.Mutex
	open sync.WaitGroup
	left bool
}

// enter counts a stream; false when the process is stopping.
func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.open.Add(1)
	}
	return !s.left
}

// sayGoodbye tells every stream to go elsewhere and waits until it did.
func (s *streams) sayGoodbye(ctx context.Context) error {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	close(s.bye)
	gone := make(chan struct{})
	go func() {
		s.open.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// socket sends back what it gets until the process stops; then it closes with
// 1012, service restart.
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
	case <-s.bye:
		_ = conn.Close(websocket.StatusServiceRestart, "restarting")
	case <-ended:
	}
}

// events counts up until the process stops; then it says goodbye.
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
		case <-s.bye:
			_, _ = io.WriteString(w, "event: goodbye\ndata: restarting\n\n")
			_ = out.Flush()
			return
		case <-r.Context().Done():
			return
		}
	}
}
