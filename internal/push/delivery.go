// Package push sends what was generated to a server that keeps it. The
// clients of Grafana and of Mimir are built on it; the commands that push take
// their token from it.
//
// A [Client] made of [Options] sends a [Request] until it is answered for good:
// it retries what may pass by itself, within bounds, and a refusal comes back as
// an [Error] that says what to do. [Token] is where credentials come from.
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

// DefaultTimeout is how long one attempt of a request may take.
const DefaultTimeout = 30 * time.Second

// maxAnswer bounds an answer in bytes. What is delivered is well below a megabyte.
const maxAnswer = 8 << 20

// Peer is the kind of server that is talked to.
type Peer struct {
	Name    string // as in Grafana
	Address string // an example of an address
	Instead string // what to do instead of writing a user into the address
	Accept  string // type of the answers
	Sends   string // type of the bodies
}

// Options say which server, and as whom.
type Options struct {
	URL     string // base address, with a path if the server is served below one
	User    string // for basic authentication with the token as password; empty for a bearer token
	Token   string // empty for a server that asks for none
	Header  http.Header
	Timeout time.Duration // of one attempt; 0 is DefaultTimeout
	// Wait waits between attempts and returns early with the context's error.
	// Nil waits by the clock.
	Wait func(context.Context, time.Duration) error
}

// Client talks to one server. It may be used concurrently.
type Client struct {
	peer    Peer
	base    *url.URL
	options Options
	http    *http.Client
}

// OptionError is an invalid option.
type OptionError string

func (e OptionError) Error() string { return string(e) }

// New checks the options and sends nothing. The error is an [OptionError].
func New(peer Peer, o Options) (*Client, error) {
	what := strings.ToLower(peer.Name)
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, OptionError(fmt.Sprintf("%s address: %v", what, err))
	}
	switch {
	case base.User != nil:
		return nil, OptionError(fmt.Sprintf("%s address holds a user; leave it out and %s", what, peer.Instead))
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, OptionError(fmt.Sprintf("invalid %s address %q; write one such as %s", what, o.URL, peer.Address))
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
		// A redirect would turn a POST into a GET, and hand the token on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Address is that of the server, without secrets.
func (c *Client) Address() string { return c.base.Redacted() }

// Origin is the address without its path.
func (c *Client) Origin() string { return c.base.Scheme + "://" + c.base.Host }

// Request is one call of a server's API. Sending it twice has to do the same as
// sending it once.
type Request struct {
	Method string
	Path   []string // below the address, each part as it is, not escaped
	Query  url.Values
	Body   []byte // nil for none
	What   string // what it is for, as errors begin
	// Explain reads the server's own words out of a refusal and says what to do
	// about it. Empty advice is filled in with what is true of any server.
	Explain func(Refusal) (message, advice string)
}

// Do sends a request until it is answered for good, and gives the body of a 2xx.
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

// target is the address of a request. A part that would lead elsewhere in the
// tree of paths is refused: it may come from a file or from the server.
func (c *Client) target(r Request) (string, error) {
	parts := make([]string, len(r.Path))
	for i, part := range r.Path {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("%q cannot stand in an address; give it another name", part)
		}
		parts[i] = url.PathEscape(part)
	}
	target := c.base.JoinPath(parts...) // #nosec G125 -- each part is escaped, and dots are rejected above
	target.RawQuery = r.Query.Encode()
	return target.String(), nil
}

// once sends a request. A pause below zero says that trying again is no use.
func (c *Client) once(ctx context.Context, r Request, target string) (text []byte, pause time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, noRetry, err
	}
	c.fill(req, r)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, pauseWithout(ctx), c.silence(ctx, err)
	}
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, pauseWithout(ctx), c.silence(ctx, err)
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return nil, pauseAfter(resp), c.refusal(r, resp, text)
	}
	if len(text) > maxAnswer {
		return nil, noRetry, fmt.Errorf("the answer of %s has more than %d bytes; check the address", c.Address(), maxAnswer)
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

// pauseWithout is the pause after no answer: none is worth it once the caller
// has given up.
func pauseWithout(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return noRetry
	}
	return 0
}

// silence says why there is no answer.
func (c *Client) silence(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if late := (interface{ Timeout() bool })(nil); errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("%s did not answer within %s at %s; look at its load, or allow more with --timeout", c.peer.Name, c.options.Timeout, c.Address())
	}
	return fmt.Errorf("%w; is %s running there?", err, c.peer.Name)
}
