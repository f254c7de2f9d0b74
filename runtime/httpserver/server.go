package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves requests on one listener. Create it with [New], then call Listen and Serve. To
// stop it, call Drain and Shutdown.
type Server struct {
	observer *Observer
	http     *http.Server
	listener *listener
}

const (
	// maxStreams limits the concurrent requests of an HTTP/2 connection to the minimum that RFC
	// 9113, section 6.5.2, recommends: each may hold a response that its client does not read.
	maxStreams = 100
	// writeGrace is the time to write a response that begins at the deadline, such as the 504. It
	// is also how long an HTTP/2 connection may accept no byte: net/http ends an HTTP/2 response
	// with a frame, which has to be written.
	writeGrace = 5 * time.Second
	// freshWait is how long a shutdown waits for the first request of a connection.
	freshWait = time.Second
	// stillWait is how long a shutdown waits while no remaining transfer makes progress. It is
	// the time that a body has to arrive.
	stillWait = bodyGrace
	// stopPoll is the interval at which connections without a request are checked.
	stopPoll = 20 * time.Millisecond
	// stopLook is the interval at which requests in flight are checked.
	stopLook = 500 * time.Millisecond
)

// New returns a server that observes every request and serves it with next.
func New(o *Observer, next http.Handler, options ...Option) (*Server, error) {
	handler, err := o.Wrap(next, options...)
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	// Few proxies use HTTP/2 without TLS, and 100 requests per connection let an attacker hold
	// 100 times as much memory.
	protocols.SetUnencryptedHTTP2(o.config.H2C || o.table.hasProcedures())
	return &Server{
		observer: o,
		http: &http.Server{
			Handler:           handler,
			Protocols:         protocols,
			HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: writeGrace},
			ReadHeaderTimeout: o.config.HeaderTimeout,
			ReadTimeout:       o.config.RequestTimeout,
			WriteTimeout:      o.config.writeTimeout(),
			ConnState:         observeState,
			IdleTimeout:       o.config.IdleTimeout,
			MaxHeaderBytes:    maxHeaderOfNetHTTP,
			ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
		},
	}, nil
}

// HandleUnobserved serves path with h, without metrics, spans, log lines or a deadline. It is for
// probes on platforms that reach only one port. Call it before Serve.
func (s *Server) HandleUnobserved(path string, h http.Handler) {
	next := s.http.Handler
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			h.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Listen binds the address of the configuration.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.observer.config.Addr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR=%s: %w; set HTTP_ADDR to a free address", s.observer.config.Addr, err)
	}
	most, m := s.observer.config.maxConnections(), s.observer.metrics
	m.maxConnections.Store(int64(most))
	s.listener = newListener(l.(*net.TCPListener), most, s.observer.config.HeaderTimeout, &m.connections)
	s.listener.rejected = s.observer.countRejected
	s.observer.full = s.listener.crowded
	return nil
}

// Addr returns the bound address, or nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve serves requests until Shutdown. It returns nil after a shutdown.
func (s *Server) Serve() error {
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) || s.observer.draining.Load() && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Drain adds "Connection: close" to all further responses. SetKeepAlivesEnabled(false) would
// close idle connections at once, while load balancers still use them.
func (s *Server) Drain() { s.observer.draining.Store(true) }

// Shutdown closes the listener and waits for requests in flight, including the first ones on
// connections that the kernel has accepted. When the context ends, it closes their connections,
// and they count as server errors. Requests that only wait for their clients are cut earlier and
// count as client errors.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	if s.listener != nil {
		s.listener.finish()
		s.awaitFresh(ctx)
	}
	patient, cut := context.WithCancel(ctx)
	defer cut()
	onlyTransfers := make(chan bool, 1)
	go func() { onlyTransfers <- s.cutTransfers(patient, cut) }()
	err := s.http.Shutdown(patient)
	if err == nil {
		return nil
	}
	cut() // Shutdown also returns the error of a closed listener
	if <-onlyTransfers {
		s.observer.cut.Store(true)
		if n := s.observer.metrics.active.Load(); n > 0 {
			s.observer.log.Warn("transfers cut during shutdown", "transfers", n)
		}
		return s.http.Close()
	}
	s.observer.stopping.Store(true)
	return errors.Join(fmt.Errorf("requests still in flight: %w", err), s.http.Close())
}

// awaitFresh waits until each connection has sent its first request: net/http drops a request
// that it reads after the shutdown began.
func (s *Server) awaitFresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshWait)
	defer cancel()
	poll := time.NewTicker(stopPoll)
	defer poll.Stop()
	for s.listener.fresh.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// cutTransfers ends a shutdown if all requests in flight are transfers: they receive a body or
// send a response. It does so after half of the time for the shutdown, or if no transfer made
// progress for stillWait. It reports whether only transfers were left at the end.
func (s *Server) cutTransfers(ctx context.Context, cut context.CancelFunc) (onlyTransfers bool) {
	w := stopPoller{observer: s.observer, at: time.Now()}
	still, half := stillWait, time.Time{}
	if end, limited := ctx.Deadline(); limited {
		left := time.Until(end) / 2
		still, half = min(still, left), w.at.Add(left)
	}
	looks := time.NewTicker(max(min(stopLook, still/4), time.Millisecond))
	defer looks.Stop()
	last := w.at // last time that a transfer made progress or another request was in flight
	for {
		select {
		case <-ctx.Done():
			onlyTransfers, _ = w.look()
			return onlyTransfers
		case <-looks.C:
		}
		only, moved := w.look()
		if !only || moved {
			last = w.at
		}
		late := !half.IsZero() && !w.at.Before(half)
		if only && (late || w.at.Sub(last) >= still) {
			cut()
			return true
		}
	}
}
