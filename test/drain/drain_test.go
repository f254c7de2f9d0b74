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

// The load is bounded. During the restarts, the request rate is half of the
// maximum that the fleet sustains (knee_test.go).
const (
	callers   = 8
	perSecond = 600 // of all callers
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

// failed is a request without the expected response.
type failed struct {
	backend string
	began   time.Time
	what    string
}

// load is the results of the callers.
type load struct {
	succeeded atomic.Int64
	mu        sync.Mutex
	failures  []failed
	stop      context.CancelFunc
	callers   sync.WaitGroup
}

// send starts the callers, which together send perSecond requests a second; end
// stops them.
func (f *fleet) send(t *testing.T, perSecond int) *load {
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

// one sends the n-th request: every 20th is slow, the others echo their body.
func (l *load) one(client *http.Client, url string, n int) {
	method, path, body := http.MethodPost, "/echo", fmt.Sprint("request ", n)
	want := body
	if n%20 == 0 {
		method, path, body, want = http.MethodGet, "/slow", "", "slow"
	}
	began := time.Now()
	backend, got, err := call(client, method, url+path, body)
	if err == nil && got == want {
		l.succeeded.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, failed{backend: backend, began: began, what: fmt.Sprintf("%s %s: got %q, %v", method, path, got, err)})
}

func call(client *http.Client, method, url, body string) (backend, response string, err error) {
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
// each process reopen on another one.
func TestEndToEndRollingRestartsLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes up to a minute")
	}
	f := newFleet(t)
	knee := f.knee(t)
	rate := halfTheKnee(knee)
	t.Logf("maximum rate: %.0f requests/s; rate during the restarts: %d requests/s", knee, rate)
	l := f.send(t, rate)
	for range rounds {
		for _, name := range names() {
			f.restart(t, name)
		}
	}
	eventually(t, fmt.Sprintf("%d successful requests", requests), func() bool { return l.succeeded.Load() >= requests })
	failures := l.end()
	for _, x := range failures {
		t.Errorf("backend %s: %s", x.backend, x.what)
	}
	if n := f.balancer.retries.Load(); n > 0 {
		t.Errorf("the balancer retried %d requests after a failed connection, want none", n)
	}
	t.Logf("%d requests succeeded, %d failed during %d restarts with a WebSocket and an event stream each",
		l.succeeded.Load(), len(failures), rounds*len(names()))
}

// restart replaces a process that serves a WebSocket and an event stream.
func (f *fleet) restart(t *testing.T, name string) {
	t.Helper()
	socket, events := f.openSocket(t, name), f.openEvents(t, name)
	if socket.backend != name || events.backend != name {
		t.Fatalf("the streams are on backends %s and %s, want %s", socket.backend, events.backend, name)
	}
	socket.exchange(t)
	events.next(t)

	var streams sync.WaitGroup
	streams.Go(func() { socket.expectClose(t) })
	streams.Go(func() { events.expectClose(t) })
	stopped := f.processes[name]
	stopped.stop(t)
	streams.Wait()
	// Both streams are closed before the process exits; clients reconnect to another one.
	socket, events = f.openSocket(t, name), f.openEvents(t, name)
	if socket.backend == name || events.backend == name {
		t.Errorf("a stream was reopened on backend %s, which has stopped", name)
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
		t.Errorf("the WebSocket echoed %q, want \"hello\": %v", got, err)
	}
}

func (s *socket) expectClose(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err := s.conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusServiceRestart {
		t.Errorf("the WebSocket was closed with %d, want 1012: %v", got, err)
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

func (e *events) expectClose(t *testing.T) {
	received := false
	for e.lines.Scan() {
		received = received || e.lines.Text() == "event: goodbye"
	}
	if !received || e.lines.Err() != nil {
		t.Errorf("the event stream ended (%v), received the goodbye event: %t", e.lines.Err(), received)
	}
}

func (e *events) close() {
	e.cancel()
	_ = e.body.Close()
}

// If a process is killed, only requests in flight to it fail.
func TestKillFailsOnlyRequestsInFlight(t *testing.T) {
	f := newFleet(t)
	l := f.send(t, perSecond)
	const victim = "b"
	held := make(chan error, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPost, f.url+"/hold", strings.NewReader("once")) // a client may retry a GET
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
	eventually(t, "500 successful requests before the kill", func() bool { return l.succeeded.Load() >= 500 })
	killed := f.processes[victim]
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.wait(t)
	died, before := time.Now(), l.succeeded.Load()
	if err := <-held; err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("the request in flight to the killed process: got %v, want 502", err)
	}
	eventually(t, "1000 successful requests after the kill", func() bool { return l.succeeded.Load() >= before+1000 })
	failures := l.end()
	if len(failures) > callers {
		t.Errorf("%d requests failed, want at most one for each of the %d callers", len(failures), callers)
	}
	for _, x := range failures {
		if x.backend != victim || x.began.After(died) {
			t.Errorf("a request to backend %s failed that began %s after %s was killed: %s", x.backend, x.began.Sub(died), victim, x.what)
		}
	}
	t.Logf("%d requests succeeded, %d failed because of the kill", l.succeeded.Load(), len(failures))
}

// A service keeps running when the reader of its log goes away, for example while a
// log collector restarts. The log lines are lost.
func TestServiceSurvivesClosedStdout(t *testing.T) {
	p := start(t)
	_ = p.stdout.Close()
	client := &http.Client{Timeout: patience}
	for range 10 { // writing the log line of each fails
		if res, err := client.Get("http://" + p.api + "/nowhere"); err != nil || res.StatusCode != http.StatusNotFound {
			t.Fatalf("%v %v", res, err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
