// Package grafana saves dashboards with the HTTP API of Grafana.
package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/observability-first/scaffold/internal/push"
)

// Client is a client of a Grafana. It is safe for concurrent use.
type Client struct{ transport *push.Client }

// New checks the options. It sends no request.
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

// request is a request of the API.
type request struct {
	method   string
	path     []string
	query    url.Values
	body     any // nil for none
	response any // target of the JSON response
	what     string
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
	if err := json.Unmarshal(text, r.response); err != nil {
		return fmt.Errorf("%s: the response of %s is not Grafana's: %w; check the URL", r.what, c.transport.Address(), err)
	}
	return nil
}
