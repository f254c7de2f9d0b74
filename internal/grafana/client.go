// Package grafana writes boards to a Grafana over its HTTP API.
//
// A [Client] asks first and writes then: [Client.Version] tells whether a Grafana
// answers at all, [Client.Find] what a board would replace, [Client.Folder] and
// [Client.Save] write. Each call retries what may pass by itself. Errors say
// what to do about them.
package grafana

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of one request. A board is well below a megabyte.
const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 8 << 20
)

// Options say which Grafana, and as whom.
type Options struct {
	URL   string // base address, with a path if Grafana is served below one
	Token string // of a service account; empty for a Grafana that asks for none
	// Wait waits between attempts and returns early with the context's error.
	// Nil waits by the clock.
	Wait func(context.Context, time.Duration) error
}

// Client talks to one Grafana. It may be used concurrently.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
	wait  func(context.Context, time.Duration) error
}

// New checks the address; it asks nothing yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("grafana address: %w", err)
	}
	switch {
	case base.User != nil:
		return nil, errors.New("grafana address holds a user; leave it out and use a token of a service account")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("grafana address %q is no address; write one such as https://grafana.acme.test", o.URL)
	}
	c := &Client{base: base, token: strings.TrimSpace(o.Token), wait: o.Wait}
	if c.wait == nil {
		c.wait = sleep
	}
	c.http = &http.Client{
		Timeout: requestTimeout,
		// A redirect would turn a POST into a GET, and hand the token on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// request is one call of the API.
type request struct {
	method string
	path   []string
	query  url.Values
	body   any // nil for none
	answer any // what the JSON of a 200 is read into
	what   string
}

// do sends a request until it is answered for good.
func (c *Client) do(ctx context.Context, r request) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
	}
	var last error
	for attempt := range attempts {
		pause, err := c.once(ctx, r, body)
		if err == nil {
			return nil
		}
		last = err
		if pause < 0 {
			break
		}
		if attempt == attempts-1 {
			last = fmt.Errorf("%w (tried %d times)", err, attempts)
			break
		}
		if err := c.wait(ctx, max(pause, backoff(attempt))); err != nil {
			last = errors.Join(last, context.Cause(ctx))
			break
		}
	}
	return fmt.Errorf("%s: %w", r.what, last)
}

// once sends a request. A pause below zero says that trying again is no use.
func (c *Client) once(ctx context.Context, r request, body []byte) (pause time.Duration, err error) {
	target := c.base.JoinPath(r.path...)
	target.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(body))
	if err != nil {
		return noRetry, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "scaffold")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return noRetry, context.Cause(ctx)
		}
		return 0, fmt.Errorf("%w; is Grafana running there?", err)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return pauseAfter(resp), c.refusal(resp, text)
	}
	if err := json.Unmarshal(text, r.answer); err != nil {
		return noRetry, fmt.Errorf("the answer of %s is not Grafana's: %w; check the address", c.base.Redacted(), err)
	}
	return 0, nil
}
