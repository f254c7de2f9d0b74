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

// Server takes requests on one listener. Make it with [New], then call Listen,
// Serve and, to stop, Drain and Shutdown, in this order.
type Server struct {
	observer *Observer
	http     *http.Server
	listener *listener
}

const (
	// maxStreams bounds the requests of one HTTP/2 connection: as few as RFC 9113, 6.5.2,
	// recommends, since each may hold a response that its client does not read.
	maxStreams = 100
	// writeGrace is the time to write a response that is made at the last moment, such
	// as the one that says that there was no time, and the time that an HTTP/2 connection
	// may take no byte. There net/http ends a response by a frame, which has to be written.
	writeGrace = 5 * time.Second
	// freshWait is how long a stop waits for the first request of a connection.
	freshWait = time.Second
	// stillWait is how long a stop waits when no transfer that is left moves a byte: what a
	// body has to arrive.
	stillWait = bodyGrace
	// stopPoll is the time between two looks at the connections without a request.
	stopPoll = 20 * time.Millisecond
	// stopLook is the time between two looks at the requests in flight. Each is judged by
	// what it did in this time.
	stopLook = 500 * time.Millisecond
)

// New returns a server that answers every request with next, observed.
func New(o *Observer, next http.Handler, options ...Option) (*Server, error) {
	handler, err := o.Wrap(next, options...)
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	// Few proxies speak it to a service, and 100 requests on each connection are 100 times as
	// much memory for an attacker to hold.
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

// HandleUnobserved serves the path with h, past the handler and all that observes it: no
// metric, span, log line or deadline. It is for probes where a platform reaches
// one port alone. Call it before Serve.
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

// Listen binds the address. The error of a taken port names the variable to
// change.
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

// Addr is the bound address, nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve answers requests until Shutdown or Close.
func (s *Server) Serve() error {
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) || s.observer.draining.Load() && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Drain makes every answer from now on ask its caller to close the connection.
// The header does it and not SetKeepAlivesEnabled(false), which would cut idle
// connections at once, while balancers still believe in them.
func (s *Server) Drain() { s.observer.draining.Store(true) }

// Shutdown closes the listener and waits for requests in flight, the first ones of
// connections that the kernel has accepted included. When the context ends first, their
// connections are cut, and they count as our failures. Transfers are cut earlier, and are no
// failure of ours: see cutTransfers.
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
	cut() // Shutdown also ends with the error of a listener that is closed already
	if <-onlyTransfers {
		s.observer.cut.Store(true)
		if n := s.observer.metrics.active.Load(); n > 0 {
			s.observer.log.Warn("transfers were cut by the stop", "transfers", n)
		}
		return s.http.Close()
	}
	s.observer.stopping.Store(true)
	return errors.Join(fmt.Errorf("requests were still in flight: %w", err), s.http.Close())
}

// awaitFresh waits until each connection has sent its first request: net/http drops
// one that it reads once it shuts down.
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

// cutTransfers ends a stop whose requests in flight are all transfers: they receive a body
// or send a response. It does so when half of the time of the stop is over, however they move,
// and when none has moved for stillWait. It reports whether only transfers were left when the
// stop ended.
func (s *Server) cutTransfers(ctx context.Context, cut context.CancelFunc) (onlyTransfers bool) {
	w := stopPoller{observer: s.observer, at: time.Now()}
	still, half := stillWait, time.Time{}
	if end, limited := ctx.Deadline(); limited {
		left := time.Until(end) / 2
		still, half = min(still, left), w.at.Add(left)
	}
	looks := time.NewTicker(max(min(stopLook, still/4), time.Millisecond))
	defer looks.Stop()
	last := w.at // when something moved, or another request was in flight
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
