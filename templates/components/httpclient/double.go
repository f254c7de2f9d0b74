package httpclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/observability-first/scaffold/templates/component"
)

// doubles returns a server for each upstream.
func (o *Options) doubles() []component.Double {
	var out []component.Double
	for _, u := range o.Upstreams {
		variable := u.variable() + "_URL"
		out = append(out, component.Double{
			Name: u.Name, Variable: variable, Check: u.Name, Alert: upstreamFailing().Name,
			Start: func(ctx context.Context) (component.Server, []string, error) {
				s, err := serve(ctx)
				if err != nil {
					return nil, nil, err
				}
				return s, []string{variable + "=http://" + s.listener.Addr().String()}, nil
			},
		})
	}
	return out
}

// server responds to every request with 200. While it is away, it keeps its port, which another process could take, and
// closes connections without a response.
type server struct {
	listener net.Listener
	http     *http.Server
	away     atomic.Bool
}

func serve(ctx context.Context) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: listener}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(listener) }() // returns when Close is called
	return s, nil
}

func (s *server) ServeHTTP(http.ResponseWriter, *http.Request) {
	if s.away.Load() {
		panic(http.ErrAbortHandler) // closes the connection
	}
}

// Stop implements [component.Server].
func (s *server) Stop() error {
	s.away.Store(true)
	return nil
}

// Restart implements [component.Server].
func (s *server) Restart(context.Context) error {
	s.away.Store(false)
	return nil
}

// Close implements [component.Server].
func (s *server) Close() error {
	if err := s.http.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
