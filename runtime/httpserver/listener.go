package httpserver

import (
	"cmp"
	"errors"
	"math"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// connectionCost is the memory budget of an idle connection. One of a generated service takes
	// 20 to 22 KiB; the rest is for handlers with deeper stacks and for the kernel.
	// TestIdleConnectionsStayWithinTheMemoryLimit logs the memory that the process takes.
	connectionCost = 32 << 10
	// connectionShare divides the memory limit: connections may take a quarter of it.
	connectionShare = 4
	// mostConnections is the limit without a memory limit. It is above what most systems allow a
	// process to open.
	mostConnections = 65_536
	// crowdedShare is the fraction of the limit from which responses close their connections, so
	// that idle connections leave room for new ones.
	crowdedShare = 0.75
	// acceptLast is how long a closing listener still accepts connections whose handshake the
	// kernel has completed.
	acceptLast = 20 * time.Millisecond
)

// maxConnections returns the maximum number of open connections.
func (c Config) maxConnections() int {
	derived := mostConnections
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		derived = int(min(mostConnections, max(64, limit/connectionShare/connectionCost)))
	}
	return cmp.Or(c.MaxConnections, derived)
}

// listener limits the number of open connections and loses none when it closes. At the limit, new
// connections wait in the kernel.
type listener struct {
	*net.TCPListener
	slots    chan struct{}             // one for each open connection and one for the next to accept
	open     *atomic.Int64             // connections
	patience time.Duration             // maximum wait for the next request of a connection when crowded
	rejected func(method, addr string) // called for each header that is too large

	fresh   atomic.Int64 // connections that have not sent a byte of a request
	closing atomic.Bool
	closed  chan struct{}
	once    sync.Once
	evict   sync.Mutex // held while a connection is checked and closed
}

// newListener returns a listener that counts its connections in open.
func newListener(l *net.TCPListener, most int, patience time.Duration, open *atomic.Int64) *listener {
	return &listener{TCPListener: l, slots: make(chan struct{}, most), open: open, patience: patience, closed: make(chan struct{})}
}

// crowded reports whether connections should close after their request.
func (l *listener) crowded() bool { return float64(l.open.Load()) > crowdedShare*float64(cap(l.slots)) }

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.acceptLate()
	if err == nil {
		l.open.Add(1)
		return &connection{TCPConn: c, listener: l}, nil
	}
	<-l.slots
	if l.closing.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		_ = l.Close()
		return nil, net.ErrClosed
	}
	return nil, err
}

// acceptLate is AcceptTCP for a closing listener. AcceptTCP returns no connection once the
// deadline has passed, even if the process had no CPU until then.
func (l *listener) acceptLate() (*net.TCPConn, error) {
	c, err := l.AcceptTCP()
	if !l.closing.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
		return c, err
	}
	_ = l.SetDeadline(time.Now().Add(acceptLast))
	return l.AcceptTCP()
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.closed)
		err = l.TCPListener.Close()
	})
	return err
}

// finish closes the listener after accepting every connection whose handshake is complete.
func (l *listener) finish() {
	l.closing.Store(true)
	_ = l.SetDeadline(time.Now().Add(acceptLast))
	select {
	case <-l.closed:
	case <-time.After(10 * acceptLast): // at the limit no connection is accepted
		_ = l.Close()
	}
}

// connection releases its slot when it closes.
type connection struct {
	*net.TCPConn
	listener *listener
	fresh    atomic.Bool
	arrival  arrival
	once     sync.Once

	silence sync.Mutex
	silent  *time.Timer // nil during a request, and after one unless crowded
	preface bool        // the HTTP/2 preface has arrived
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(func() {
		c.endSilence()
		c.listener.open.Add(-1)
		<-c.listener.slots
	})
	return err
}

// observeState counts connections whose first request has not arrived, and tracks where headers
// begin and end.
func observeState(conn net.Conn, state http.ConnState) {
	c, ours := conn.(*connection)
	if !ours {
		return
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.arrival.begin()
	case http.StateActive:
		c.arrival.end()
		c.noteActive()
	}
	if state == http.StateNew || state == http.StateIdle && c.listener.crowded() {
		c.beginSilence()
	}
	if state == http.StateNew {
		c.fresh.Store(true)
		c.listener.fresh.Add(1)
		return
	}
	if c.fresh.CompareAndSwap(true, false) {
		c.listener.fresh.Add(-1)
	}
}

// beginSilence measures how long the connection sends no request. net/http would keep it for the
// idle timeout after a bare HTTP/2 preface, and after a response without "Connection: close",
// such as those of net/http itself.
func (c *connection) beginSilence() {
	c.silence.Lock()
	defer c.silence.Unlock()
	if c.silent == nil {
		c.silent = time.AfterFunc(c.listener.patience, c.closeSilent)
	}
}

func (c *connection) endSilence() {
	c.silence.Lock()
	defer c.silence.Unlock()
	if c.silent != nil {
		c.silent.Stop()
		c.silent = nil
	}
}

// noteActive ends the silence, unless net/http reports only the HTTP/2 preface.
func (c *connection) noteActive() {
	if c.arrival.http2() && !c.preface {
		c.preface = true
		return
	}
	c.endSilence()
}

// closeSilent closes a connection without a request when others need its slot. Only one closes at
// a time, because each close may end the crowding.
func (c *connection) closeSilent() {
	c.listener.evict.Lock()
	defer c.listener.evict.Unlock()
	if c.mayClose() {
		_ = c.Close()
	}
}

// mayClose reports whether to close a connection that is still silent. Otherwise it restarts the
// timer.
func (c *connection) mayClose() bool {
	c.silence.Lock()
	defer c.silence.Unlock()
	switch {
	case c.silent == nil: // a request has arrived
		return false
	case c.listener.crowded():
		return true
	}
	c.silent.Reset(c.listener.patience)
	return false
}
