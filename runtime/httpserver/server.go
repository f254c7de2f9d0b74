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

// maxHeaderBytes bounds the header of a request. 64 KiB holds any cookie that a
// browser sends; net/http's default of 1 MiB is room for an attacker.
const maxHeaderBytes = 64 << 10

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
	// slowWait is how long a stop waits when only slow clients are left: what a body has
	// to arrive.
	slowWait = bodyGrace
	// stopPoll is the time between two looks at who is left.
	stopPoll = 20 * time.Millisecond
)

// New returns a server that answers every request with next, observed.
func New(o *Observer, next http.Handler, options ...Option) (*Server, error) {
	handler, err := o.Wrap(next, options...)
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC and connect clients inside a cluster
	return &Server{
		observer: o,
		http: &http.Server{
			Handler:           handler,
			Protocols:         protocols,
			HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: writeGrace},
			ReadHeaderTimeout: o.config.HeaderTimeout,
			ReadTimeout:       o.config.RequestTimeout,
			WriteTimeout:      o.config.RequestTimeout + writeGrace,
			ConnState:         observeState,
			IdleTimeout:       o.config.IdleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
		},
	}, nil
}

// Beside answers the path with h, past the handler and all that observes it: no
// metric, span, log line or deadline. It is for probes where a platform reaches
// one port alone. Call it before Serve.
func (s *Server) Beside(path string, h http.Handler) {
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
	s.listener = newListener(l.(*net.TCPListener), most, &m.connections)
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
// connections are cut, and they count as our failures. Requests that wait for a slow client
// are cut earlier, and are no failure of ours.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	if s.listener != nil {
		s.listener.finish()
		s.awaitFresh(ctx)
	}
	patient, cut := context.WithCancel(ctx)
	defer cut()
	go s.cutSlowClients(patient, cut)
	err := s.http.Shutdown(patient)
	if err == nil {
		return nil
	}
	if s.observer.onlySlowClients() {
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

// cutSlowClients ends a stop that has waited for nothing but slow clients for slowWait,
// or half of its time if that is less.
func (s *Server) cutSlowClients(ctx context.Context, cut context.CancelFunc) {
	patience := slowWait
	if end, limited := ctx.Deadline(); limited {
		patience = min(patience, time.Until(end)/2)
	}
	poll := time.NewTicker(stopPoll)
	defer poll.Stop()
	last := time.Now() // when a request that does not wait for its client was last in flight
	for time.Since(last) < patience {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			if !s.observer.onlySlowClients() {
				last = time.Now()
			}
		}
	}
	cut()
}
