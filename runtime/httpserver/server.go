package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// maxHeaderBytes bounds the header of a request. 64 KiB holds any cookie that a
// browser sends; net/http's default of 1 MiB is room for an attacker.
const maxHeaderBytes = 64 << 10

// Server takes requests on one listener. Make it with [New], then call Listen,
// Serve and, to stop, Drain and Shutdown, in this order.
type Server struct {
	observer *Observer
	http     *http.Server
	listener net.Listener
}

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
			ReadHeaderTimeout: o.config.HeaderTimeout,
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
	s.listener = l
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
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain makes every answer from now on ask its caller to close the connection.
// The header does it and not SetKeepAlivesEnabled(false), which would cut idle
// connections at once, while balancers still believe in them.
func (s *Server) Drain() { s.observer.draining.Store(true) }

// Shutdown closes the listener and waits for requests in flight. When the
// context ends first, their connections are cut, and they count as our failures.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	s.observer.stopping.Store(true)
	return errors.Join(fmt.Errorf("requests were still in flight: %w", err), s.http.Close())
}
