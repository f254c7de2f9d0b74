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
	// connectionCost is the memory that an idle connection may take. One of a generated
	// service takes 20 to 22 KiB; the rest is for handlers with deeper stacks and for the kernel.
	// TestIdleConnectionsStayWithinTheMemoryLimit logs how much memory the process takes.
	connectionCost = 32 << 10
	// connectionShare is the part of the memory limit that connections may take.
	connectionShare = 4
	// mostConnections is the bound without a memory limit: above what one process
	// may open on most machines.
	mostConnections = 65_536
	// crowdedShare is the part of the bound from which responses close their
	// connections, so that idle ones leave room for new ones.
	crowdedShare = 0.75
	// acceptLast is how long a listener that closes still accepts connections whose
	// handshake the kernel has completed.
	acceptLast = 20 * time.Millisecond
)

// maxConnections is the number of connections that are open at a time.
func (c Config) maxConnections() int {
	derived := mostConnections
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		derived = int(min(mostConnections, max(64, limit/connectionShare/connectionCost)))
	}
	return cmp.Or(c.MaxConnections, derived)
}

// listener bounds the number of open connections, and loses none when it closes. At
// the bound, new ones wait in the kernel.
type listener struct {
	*net.TCPListener
	slots    chan struct{}             // one for each open connection, and one to accept the next
	open     *atomic.Int64             // connections
	patience time.Duration             // for the next request of a connection when crowded
	rejected func(method, addr string) // is called for each header that is too large

	fresh   atomic.Int64 // connections that have not sent a byte of a request
	closing atomic.Bool
	closed  chan struct{}
	once    sync.Once
	evict   sync.Mutex // held from the check for a crowd to the close of a connection
}

// newListener returns a listener that counts its connections in open.
func newListener(l *net.TCPListener, most int, patience time.Duration, open *atomic.Int64) *listener {
	return &listener{TCPListener: l, slots: make(chan struct{}, most), open: open, patience: patience, closed: make(chan struct{})}
}

// crowded reports whether connections should not be kept for another request.
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

// acceptLate is AcceptTCP, which does not look for connections once the deadline of a
// listener that closes has passed. The process may have had no CPU until then.
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

// finish closes the listener once it has accepted every connection whose handshake is
// complete.
func (l *listener) finish() {
	l.closing.Store(true)
	_ = l.SetDeadline(time.Now().Add(acceptLast))
	select {
	case <-l.closed:
	case <-time.After(10 * acceptLast): // at the bound nothing is accepted
		_ = l.Close()
	}
}

// connection gives its slot back when it closes.
type connection struct {
	*net.TCPConn
	listener *listener
	fresh    atomic.Bool
	arrival  arrival
	once     sync.Once

	silence sync.Mutex
	silent  *time.Timer // nil during a request, and after one unless crowded
	preface bool        // of HTTP/2 has been seen
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

// observeState counts connections whose first request has not arrived yet, and notes where
// headers begin and end.
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

// beginSilence measures how long the connection sends no request. net/http would keep it for
// the idle timeout: after the preface of HTTP/2 alone, and after a response that does not ask
// the client to close, such as one that net/http makes itself.
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

// noteActive ends the silence, unless net/http reports nothing but the preface of HTTP/2.
func (c *connection) noteActive() {
	if c.arrival.http2() && !c.preface {
		c.preface = true
		return
	}
	c.endSilence()
}

// closeSilent closes a connection without a request when others need its place. One at a
// time does so: each close may end the crowd.
func (c *connection) closeSilent() {
	c.listener.evict.Lock()
	defer c.listener.evict.Unlock()
	if c.mayClose() {
		_ = c.Close()
	}
}

// mayClose reports whether to close a connection that is still silent, and otherwise
// measures again.
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
