// Package push sends requests to the APIs of Grafana and Mimir.
//
// A [Client] retries temporary errors. An error response is an [Error] that says what to do. [Token]
// reads credentials.
package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultTimeout is the default timeout of an attempt.
const DefaultTimeout = 30 * time.Second

// maxResponse is the maximum size of a response, in bytes. Normal responses are below a megabyte.
const maxResponse = 8 << 20

// Peer is a kind of server.
type Peer struct {
	Name    string // as in Grafana
	Address string // example of a URL
	Instead string // advice for a user in the URL
	Accept  string // content type of responses
	Sends   string // content type of request bodies
}

// Options are the server and its credentials.
type Options struct {
	URL     string // base URL, may have a path
	User    string // for basic authentication with the token as password; empty for a bearer token
	Token   string // may be empty
	Header  http.Header
	Timeout time.Duration // of an attempt; 0 is DefaultTimeout
	// Wait waits between attempts, or returns the context's error. Nil uses a timer.
	Wait func(context.Context, time.Duration) error
}

// Client sends requests to a server. It is safe for concurrent use.
type Client struct {
	peer    Peer
	base    *url.URL
	options Options
	http    *http.Client
}

// OptionError is an invalid option.
type OptionError string

func (e OptionError) Error() string { return string(e) }

// New checks the options. It sends no request. The error is an [OptionError].
func New(peer Peer, o Options) (*Client, error) {
	what := strings.ToLower(peer.Name)
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, OptionError(fmt.Sprintf("invalid %s URL: %v", what, err))
	}
	switch {
	case base.User != nil:
		return nil, OptionError(fmt.Sprintf("the %s URL has a user; remove it and %s", what, peer.Instead))
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, OptionError(fmt.Sprintf("invalid %s URL %q; write one such as %s", what, o.URL, peer.Address))
	}
	o.Token = strings.TrimSpace(o.Token)
	if o.Wait == nil {
		o.Wait = sleep
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{peer: peer, base: base, options: o, http: &http.Client{
		Timeout: o.Timeout,
		// A redirect would change a POST to a GET, and forward the token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Address returns the URL of the server, without secrets.
func (c *Client) Address() string { return c.base.Redacted() }

// Origin returns the URL without its path.
func (c *Client) Origin() string { return c.base.Scheme + "://" + c.base.Host }

// Request is a request of an API. It must be idempotent.
type Request struct {
	Method string
	Path   []string // segments below the URL, not escaped
	Query  url.Values
	Body   []byte // nil for none
	What   string // prefix of errors, as in "save dashboard x"
	// Explain returns the server's message in an error response, and advice. If the advice is
	// empty, the client adds a general one.
	Explain func(ErrorResponse) (message, advice string)
}

// Do sends a request, with retries, and returns the body of a 2xx response.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	target, err := c.target(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.What, err)
	}
	var last error
	for attempt := range attempts {
		text, pause, err := c.once(ctx, r, target)
		if err == nil {
			return text, nil
		}
		last = err
		if pause < 0 {
			break
		}
		if attempt == attempts-1 {
			last = fmt.Errorf("%w (tried %d times)", err, attempts)
			break
		}
		if err := c.options.Wait(ctx, max(pause, backoff(attempt))); err != nil {
			last = errors.Join(last, context.Cause(ctx))
			break
		}
	}
	return nil, fmt.Errorf("%s: %w", r.What, last)
}

// target returns the URL of a request. It rejects segments such as "..", which may come from a file or
// from the server.
func (c *Client) target(r Request) (string, error) {
	parts := make([]string, len(r.Path))
	for i, part := range r.Path {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("%q is not allowed in a URL; use another name", part)
		}
		parts[i] = url.PathEscape(part)
	}
	target := c.base.JoinPath(parts...) // #nosec G125 -- each part is escaped, and dots are rejected above
	target.RawQuery = r.Query.Encode()
	return target.String(), nil
}

// once sends a request. A negative pause means that the request must not be retried.
func (c *Client) once(ctx context.Context, r Request, target string) (text []byte, pause time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, noRetry, err
	}
	c.fill(req, r)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, pauseWithoutResponse(ctx), c.noResponse(ctx, err)
	}
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, pauseWithoutResponse(ctx), c.noResponse(ctx, err)
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return nil, pauseAfter(resp), c.errorOf(r, resp, text)
	}
	if len(text) > maxResponse {
		return nil, noRetry, fmt.Errorf("the response of %s has more than %d bytes; check the URL", c.Address(), maxResponse)
	}
	return text, 0, nil
}

func (c *Client) fill(req *http.Request, r Request) {
	maps.Copy(req.Header, c.options.Header)
	req.Header.Set("Accept", c.peer.Accept)
	req.Header.Set("User-Agent", "scaffold")
	if r.Body != nil {
		req.Header.Set("Content-Type", c.peer.Sends)
	}
	switch {
	case c.options.Token == "":
	case c.options.User != "":
		req.SetBasicAuth(c.options.User, c.options.Token)
	default:
		req.Header.Set("Authorization", "Bearer "+c.options.Token)
	}
}

// pauseWithoutResponse returns the pause after an attempt without a response.
func pauseWithoutResponse(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return noRetry
	}
	return 0
}

// noResponse returns the error of an attempt without a response.
func (c *Client) noResponse(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if late := (interface{ Timeout() bool })(nil); errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("%s did not respond within %s at %s; check its load, or set a longer --timeout", c.peer.Name, c.options.Timeout, c.Address())
	}
	return fmt.Errorf("%w; check that %s is running", err, c.peer.Name)
}
