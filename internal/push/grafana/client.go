// Package grafana writes dashboards to a Grafana over its HTTP API.
//
// A [Client] asks first and writes then: [Client.Version] tells whether a Grafana
// answers at all, [Client.Find] what a dashboard would replace, [Client.Folder] and
// [Client.Save] write. How requests are sent and retried is internal/push's.
package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/observability-first/scaffold/internal/push"
)

// Client talks to one Grafana. It may be used concurrently.
type Client struct{ transport *push.Client }

// New checks the address; it asks nothing yet.
func New(o push.Options) (*Client, error) {
	transport, err := push.New(push.Peer{
		Name: "Grafana", Address: "https://grafana.acme.test", Instead: "use a token of a service account",
		Accept: "application/json", Sends: "application/json",
	}, o)
	if err != nil {
		return nil, err
	}
	return &Client{transport}, nil
}

// request is one call of the API.
type request struct {
	method string
	path   []string
	query  url.Values
	body   any // nil for none
	answer any // what the JSON of the answer is read into
	what   string
}

func (c *Client) do(ctx context.Context, r request) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
	}
	text, err := c.transport.Do(ctx, push.Request{Method: r.method, Path: r.path, Query: r.query, Body: body, What: r.what, Explain: explain})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, r.answer); err != nil {
		return fmt.Errorf("%s: the answer of %s is not Grafana's: %w; check the address", r.what, c.transport.Address(), err)
	}
	return nil
}
