// Package httpdouble has the double of an HTTP server, for components whose services send requests.
package httpdouble

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Server responds to every request with 200. It implements component.Server. While it is stopped, it keeps its port,
// which another process could take, and closes connections without a response.
type Server struct {
	listener net.Listener
	http     *http.Server
	stopped  atomic.Bool
}

// Start starts a server on a free port of the loopback interface.
func Start(ctx context.Context) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{listener: listener}
	s.http = &http.Server{Handler: http.HandlerFunc(s.respond), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(listener) }() // returns when Close is called
	return s, nil
}

func (s *Server) respond(http.ResponseWriter, *http.Request) {
	if s.stopped.Load() {
		panic(http.ErrAbortHandler) // closes the connection
	}
}

// URL returns the base URL of the server, without a path.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Stop makes all requests fail.
func (s *Server) Stop() error {
	s.stopped.Store(true)
	return nil
}

// Restart makes requests succeed again.
func (s *Server) Restart(context.Context) error {
	s.stopped.Store(false)
	return nil
}

// Close closes the port and all connections.
func (s *Server) Close() error { return s.http.Close() }
