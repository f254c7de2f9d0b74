package httpserver

import (
	"errors"
	"math"
	"net"
	"net/http"
	goruntime "runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func listen(t *testing.T, most int) *listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bounded := newListener(l.(*net.TCPListener), most, time.Second, new(atomic.Int64))
	t.Cleanup(func() { _ = bounded.Close() })
	return bounded
}

// connect opens connections, which wait in the kernel until Accept.
func connect(t *testing.T, l *listener, n int) {
	t.Helper()
	for range n {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}

func accept(t *testing.T, l *listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// In synctest, Wait returns once Accept waits for a slot. Without the limit it would accept the
// connection that waits in the kernel.
func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 3
		l := listen(t, most)
		connect(t, l, most+1)
		first := accept(t, l)
		for range most - 1 {
			accept(t, l)
		}
		accepted := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if c != nil {
				_ = c.Close()
			}
			accepted <- err
		}()
		synctest.Wait()
		select {
		case err := <-accepted:
			t.Fatalf("Accept returned %v at the limit", err)
		default:
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		if got := l.open.Load(); got != most-1 {
			t.Errorf("%d connections are open, want %d", got, most-1)
		}
	})
}

// net/http closes some connections twice.
func TestConnectionReleasesItsSlotOnce(t *testing.T) {
	t.Parallel()
	l := listen(t, 2)
	connect(t, l, 2)
	c := accept(t, l)
	accept(t, l)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { _ = c.Close() })
	}
	both.Wait()
	if open, slots := l.open.Load(), len(l.slots); open != 1 || slots != 1 {
		t.Errorf("%d connections are open and hold %d slots, want 1 and 1", open, slots)
	}
}

func TestTheListenerIsCrowdedAboveThreeQuarters(t *testing.T) {
	t.Parallel()
	l := listen(t, 4)
	connect(t, l, 4)
	for open := 1; open <= 4; open++ {
		accept(t, l)
		if want := open == 4; l.crowded() != want {
			t.Errorf("with %d of 4 connections, crowded is %t", open, !want)
		}
	}
}

// Only connections without a request are closed when the listener is crowded.
func TestSilentConnectionsAreClosedWhenCrowded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		l := listen(t, most)
		connect(t, l, most)
		var all []*connection
		open := func(n int) {
			for range n {
				c := accept(t, l).(*connection)
				observeState(c, http.StateNew)
				all = append(all, c)
			}
		}
		open(most / 2)
		http1, http2, silent := all[0], all[1], all[2]
		for _, c := range []*connection{http2, silent} { // the HTTP/2 preface is not a request
			c.arrival.add([]byte(http2Preface))
			observeState(c, http.StateActive)
			observeState(c, http.StateIdle)
		}
		observeState(http1, http.StateActive)
		observeState(http2, http.StateActive)
		if time.Sleep(time.Minute); l.open.Load() != most/2 {
			t.Errorf("%d connections are open, want %d", l.open.Load(), most/2)
		}
		open(most / 2)
		if time.Sleep(2 * l.patience); l.open.Load() != most*crowdedShare {
			t.Errorf("%d connections are open, want %g", l.open.Load(), most*crowdedShare)
		}
		for _, c := range []*connection{http1, http2} {
			if err := c.SetDeadline(time.Time{}); err != nil {
				t.Errorf("a connection that had a request is closed: %v", err)
			}
		}
	})
}

// A connection that is idle while the listener is crowded stays open as long as its client sends
// requests.
func TestConnectionsInUseAreKeptWhenCrowded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 4
		l := listen(t, most)
		connect(t, l, most)
		var all []*connection
		for range most {
			c := accept(t, l).(*connection)
			observeState(c, http.StateNew)
			observeState(c, http.StateActive)
			observeState(c, http.StateIdle) // the last one is idle when crowded
			all = append(all, c)
		}
		for range 10 {
			time.Sleep(l.patience - 1)
			observeState(all[most-1], http.StateActive)
			observeState(all[most-1], http.StateIdle)
		}
		if l.open.Load() != most {
			t.Errorf("%d connections are open, want %d", l.open.Load(), most)
		}
		if time.Sleep(2 * l.patience); l.open.Load() != most-1 || all[most-1].SetDeadline(time.Time{}) == nil {
			t.Errorf("%d connections are open, want %d, without the last one", l.open.Load(), most-1)
		}
	})
}

func TestFinishAcceptsConnectionsWaitingInTheKernel(t *testing.T) {
	t.Parallel()
	const waiting = 20
	for name, finish := range map[string]func(*listener){
		"in time": func(l *listener) {
			go l.finish()
			for !l.closing.Load() {
				goruntime.Gosched()
			}
		},
		"after the process had no CPU": func(l *listener) {
			l.closing.Store(true)
			_ = l.SetDeadline(time.Now().Add(-time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t, 2*waiting)
			connect(t, l, waiting)
			finish(l)
			accepted := 0
			c, err := l.Accept()
			for ; err == nil; c, err = l.Accept() {
				accepted++
				_ = c.Close()
			}
			if accepted != waiting || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%d of %d connections were accepted, then %v", accepted, waiting, err)
			}
		})
	}
}

func TestFinishEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	l := listen(t, 1)
	connect(t, l, 2)
	accept(t, l)
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	l.finish()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept ended with %v", err)
	}
}

func TestAListenerMayBeClosedTwice(t *testing.T) {
	t.Parallel()
	l := listen(t, 1)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close returned %v", err)
	}
	l.finish()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept returned %v", err)
	}
	if open := l.open.Load(); open != 0 {
		t.Errorf("%d connections are open", open)
	}
}

// The memory limit is global to the process, so this test does not run in parallel.
func TestConnectionLimitFollowsTheMemoryLimit(t *testing.T) { //nolint:paralleltest // see above
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for name, tc := range map[string]struct {
		limit int64
		set   int
		want  int
	}{
		"no limit":                       {math.MaxInt64, 0, 65_536},
		"nine tenths of 256 MiB":         {256 << 20 * 9 / 10, 0, 1843},
		"a tiny limit":                   {1 << 20, 0, 64},
		"a huge limit":                   {1 << 40, 0, 65_536},
		"HTTP_MAX_CONNECTIONS":           {256 << 20, 7, 7},
		"HTTP_MAX_CONNECTIONS, no limit": {math.MaxInt64, 100_000, 100_000},
	} {
		debug.SetMemoryLimit(tc.limit)
		if got := (Config{MaxConnections: tc.set}).maxConnections(); got != tc.want {
			t.Errorf("%s: %d connections, want %d", name, got, tc.want)
		}
	}
}
