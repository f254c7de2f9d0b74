// Package mimir reads and writes rule groups with the API of Grafana Mimir's ruler.
package mimir

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/observability-first/scaffold/internal/push"
)

// DefaultPrefix is the default of Mimir's -http.prometheus-http-prefix.
const DefaultPrefix = "/prometheus"

// Options are the Mimir and its credentials.
type Options struct {
	push.Options

	Tenant string // empty without tenants, or if the token determines it
	Prefix string // path below the URL; may be empty
}

// Client is a client for the rules of a tenant. It is safe for concurrent use.
type Client struct {
	transport *push.Client
	tenant    string
	prefix    []string
}

// New checks the options. It sends no request. The error is a [push.OptionError].
func New(o Options) (*Client, error) {
	if strings.ContainsFunc(o.Tenant, unicode.IsControl) {
		return nil, push.OptionError(fmt.Sprintf("tenant %q contains a control character; remove it", o.Tenant))
	}
	if o.Tenant != "" {
		o.Header = http.Header{"X-Scope-Orgid": {o.Tenant}}
	}
	transport, err := push.New(push.Peer{
		Name: "Mimir", Address: "https://mimir.acme.test", Instead: "use --user, and a token for the password",
		Accept: "application/yaml", Sends: "application/yaml",
	}, o.Options)
	if err != nil {
		return nil, err
	}
	prefix := strings.FieldsFunc(o.Prefix, func(r rune) bool { return r == '/' })
	return &Client{transport: transport, tenant: o.Tenant, prefix: prefix}, nil
}

func (c *Client) path(parts ...string) []string {
	return append(append(append([]string{}, c.prefix...), "config", "v1", "rules"), parts...)
}

// Groups returns the groups of a namespace, none if it does not exist.
func (c *Client) Groups(ctx context.Context, namespace string) ([]Group, error) {
	what := "read namespace " + namespace
	text, err := c.transport.Do(ctx, push.Request{
		Method: http.MethodGet, Path: c.path(namespace), What: what,
		Explain: func(r push.ErrorResponse) (string, string) { return c.explain(r, Need{}) },
	})
	// Older versions respond 404.
	if push.IsNotFound(err) && strings.Contains(err.Error(), "no rule groups found") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	groups, err := parseNamespaces(text)
	if err != nil {
		return nil, fmt.Errorf("%s: the server at %s is not Mimir's ruler: %w; check the URL and --prefix", what, c.transport.Address(), err)
	}
	return groups[namespace], nil
}

// Need is what a push needs of the tenant's limits, so that they have to be raised only once.
type Need struct {
	Rules  int // of the largest group
	Groups int // new groups that are not written yet, including this one
}

// Write creates or replaces a group.
func (c *Client) Write(ctx context.Context, g Group, need Need) error {
	what := fmt.Sprintf("write group %s of namespace %s", g.Name, g.Namespace)
	body, err := g.YAML()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, err = c.transport.Do(ctx, push.Request{
		Method: http.MethodPost, Path: c.path(g.Namespace), Body: body, What: what,
		Explain: func(r push.ErrorResponse) (string, string) { return c.explain(r, need) },
	})
	return err
}

// Remove removes a group, if it exists.
func (c *Client) Remove(ctx context.Context, namespace, name string) error {
	_, err := c.transport.Do(ctx, push.Request{
		Method: http.MethodDelete, Path: c.path(namespace, name), What: fmt.Sprintf("remove group %s of namespace %s", name, namespace),
		Explain: func(r push.ErrorResponse) (string, string) { return c.explain(r, Need{}) },
	})
	if push.IsNotFound(err) && strings.Contains(err.Error(), "does not exist") {
		return nil
	}
	return err
}
