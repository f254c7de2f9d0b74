package drain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The load is bounded: so many callers, and so many requests a second together;
// for the restarts that is half of what the fleet answers (knee_test.go).
const (
	callers   = 8
	perSecond = 600
	rounds    = 5
	requests  = 10_000 // at least
)

// fleet is three processes behind a balancer.
type fleet struct {
	balancer  *balancer
	url       string
	processes map[string]*process
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{balancer: newBalancer(), processes: map[string]*process{}}
	for _, name := range names() {
		f.processes[name] = start(t)
		f.balancer.put(t, name, f.processes[name])
	}
	server := httptest.NewServer(f.balancer)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	f.url = server.URL
	return f
}

// failed is a request that was not answered as it should have been.
type failed struct {
	backend string
	began   time.Time
	what    string
}

// load is what the callers saw.
type load struct {
	answered atomic.Int64
	mu       sync.Mutex
	failures []failed
	stop     context.CancelFunc
	callers  sync.WaitGroup
}

// ask starts the callers, which ask so often in a second together; end stops them.
func (f *fleet) ask(t *testing.T, perSecond int) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	turns := make(chan int)
	l.callers.Go(func() {
		defer close(turns)
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-tick.C
			turns <- n
		}
	})
	for range callers {
		l.callers.Go(func() {
			client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := range turns {
				l.one(client, f.url, n)
			}
		})
	}
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) end() []failed {
	l.stop()
	l.callers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures
}

// one asks once: mostly for an echo with a body, now and then for a slow answer.
func (l *load) one(client *http.Client, url string, n int) {
	method, path, body := http.MethodPost, "/echo", fmt.Sprint("request ", n)
	want := body
	if n%20 == 0 {
		method, path, body, want = http.MethodGet, "/slow", "", "slow"
	}
	began := time.Now()
	backend, got, err := call(client, method, url+path, body)
	if err == nil && got == want {
		l.answered.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, failed{backend: backend, began: began, what: fmt.Sprintf("%s %s: got %q, %v", method, path, got, err)})
}

func call(client *http.Client, method, url, body string) (backend, answer string, err error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return res.Header.Get(headerServed), string(data), err
}

// Five rolling restarts of three processes fail no request, and the streams of
// each process go on elsewhere.
func TestEndToEndRollingRestartsLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the better part of a minute")
	}
	f := newFleet(t)
	knee := f.knee(t)
	rate := halfTheKnee(knee)
	t.Logf("the knee is at %.0f requests a second, the restarts run at %d", knee, rate)
	l := f.ask(t, rate)
	for range rounds {
		for _, name := range names() {
			f.restart(t, name)
		}
	}
	eventually(t, "enough requests", func() bool { return l.answered.Load() >= requests })
	failures := l.end()
	for _, x := range failures {
		t.Errorf("at %s: %s", x.backend, x.what)
	}
	if n := f.balancer.elsewhere.Load(); n > 0 {
		t.Errorf("%d requests found a closed listener: the balancer had to hide it", n)
	}
	t.Logf("%d requests answered, %d failed, over %d restarts with a WebSocket and an event stream each",
		l.answered.Load(), len(failures), rounds*len(names()))
}

// restart replaces one process while a WebSocket and an event stream are on it.
func (f *fleet) restart(t *testing.T, name string) {
	t.Helper()
	socket, events := f.openSocket(t, name), f.openEvents(t, name)
	if socket.backend != name || events.backend != name {
		t.Fatalf("streams are on %s and %s, want %s", socket.backend, events.backend, name)
	}
	socket.exchange(t)
	events.next(t)

	var streams sync.WaitGroup
	streams.Go(func() { socket.expectGoodbye(t) })
	streams.Go(func() { events.expectGoodbye(t) })
	stopped := f.processes[name]
	stopped.stop(t)
	streams.Wait()
	// They say goodbye before the process is gone; a client goes on elsewhere.
	socket, events = f.openSocket(t, name), f.openEvents(t, name)
	if socket.backend == name || events.backend == name {
		t.Errorf("streams came back to %s, which has ended", name)
	}
	socket.exchange(t)
	events.next(t)
	socket.close()
	events.close()

	f.processes[name] = start(t)
	f.balancer.put(t, name, f.processes[name])
}

// socket is a WebSocket of a client.
type socket struct {
	conn    *websocket.Conn
	backend string
}

func (f *fleet) openSocket(t *testing.T, want string) *socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, f.url+"/socket", &websocket.DialOptions{HTTPHeader: http.Header{headerWant: {want}}})
	if err != nil {
		t.Fatalf("open a WebSocket: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{conn: conn, backend: res.Header.Get(headerServed)}
}

func (s *socket) exchange(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Errorf("write to the WebSocket: %v", err)
	}
	if _, got, err := s.conn.Read(ctx); err != nil || string(got) != "hello" {
		t.Errorf("the WebSocket sent back %q: %v", got, err)
	}
}

func (s *socket) expectGoodbye(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err := s.conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusServiceRestart {
		t.Errorf("the WebSocket ended with %d and not with 1012: %v", got, err)
	}
}

func (s *socket) close() { _ = s.conn.Close(websocket.StatusNormalClosure, "") }

// events is an event stream of a client.
type events struct {
	body    io.ReadCloser
	lines   *bufio.Scanner
	backend string
	cancel  context.CancelFunc
}

func (f *fleet) openEvents(t *testing.T, want string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(headerWant, want)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("open an event stream: %v %v", res, err)
	}
	return &events{body: res.Body, lines: bufio.NewScanner(res.Body), backend: res.Header.Get(headerServed), cancel: cancel}
}

func (e *events) next(t *testing.T) {
	t.Helper()
	if !e.lines.Scan() || !strings.HasPrefix(e.lines.Text(), "data: ") {
		t.Errorf("the event stream sent %q: %v", e.lines.Text(), e.lines.Err())
	}
}

func (e *events) expectGoodbye(t *testing.T) {
	said := false
	for e.lines.Scan() {
		said = said || e.lines.Text() == "event: goodbye"
	}
	if !said || e.lines.Err() != nil {
		t.Errorf("the event stream ended, goodbye said: %t, %v", said, e.lines.Err())
	}
}

func (e *events) close() {
	e.cancel()
	_ = e.body.Close()
}

// A process that is killed loses what was in flight there and nothing else.
func TestAKillLosesOnlyWhatWasInFlight(t *testing.T) {
	f := newFleet(t)
	l := f.ask(t, perSecond)
	const victim = "b"
	held := make(chan error, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPost, f.url+"/hold", strings.NewReader("once")) // a GET would be asked again
		if err != nil {
			held <- err
			return
		}
		req.Header.Set(headerWant, victim)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			err = errors.New(res.Status)
		}
		held <- err
	}()
	eventually(t, "load before the kill", func() bool { return l.answered.Load() >= 500 })
	killed := f.processes[victim]
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.wait(t)
	dead, before := time.Now(), l.answered.Load()
	if err := <-held; err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("what was in flight at the killed process ended with %v", err)
	}
	eventually(t, "load after the kill", func() bool { return l.answered.Load() >= before+1000 })
	failures := l.end()
	if len(failures) > callers {
		t.Errorf("%d requests failed with %d callers", len(failures), callers)
	}
	for _, x := range failures {
		if x.backend != victim || x.began.After(dead) {
			t.Errorf("failed at %s %s after the death of %s: %s", x.backend, x.began.Sub(dead), victim, x.what)
		}
	}
	t.Logf("%d requests answered, %d failed with the process that was killed", l.answered.Load(), len(failures))
}

// A reader that goes away, as when a log collector restarts, costs the lines.
func TestAClosedStandardOutputIsNoReasonToDie(t *testing.T) {
	p := start(t)
	_ = p.stdout.Close()
	client := &http.Client{Timeout: patience}
	for range 10 { // each is logged, into nothing
		if res, err := client.Get("http://" + p.api + "/nowhere"); err != nil || res.StatusCode != http.StatusNotFound {
			t.Fatalf("%v %v", res, err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("status %d", code)
	}
}
