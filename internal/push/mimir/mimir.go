// Package mimir keeps rule groups in the ruler of a Grafana Mimir, over its
// configuration API.
//
// A [Client] reads what a namespace holds with [Client.Groups], and changes it
// with [Client.Write] and [Client.Remove]. A [Group] comes out of a rule file or
// out of Mimir, and [Group.Equal] says whether the two mean the same. How
// requests are sent and retried is internal/push's.
package mimir

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/observability-first/scaffold/internal/push"
)

// DefaultPrefix is where Mimir serves what Prometheus serves, unless it is told
// otherwise with -http.prometheus-http-prefix.
const DefaultPrefix = "/prometheus"

// Options say which Mimir, and as whom.
type Options struct {
	push.Options

	Tenant string // empty for a Mimir without tenants, or one that knows it by the token
	Prefix string // path below the address; empty for none
}

// Client talks to the ruler of one tenant. It may be used concurrently.
type Client struct {
	transport *push.Client
	tenant    string
	prefix    []string
}

// New checks the options and sends nothing. The error is a [push.OptionError].
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

// Groups gives the groups of a namespace, none when there is no such namespace.
func (c *Client) Groups(ctx context.Context, namespace string) ([]Group, error) {
	what := "read namespace " + namespace
	text, err := c.transport.Do(ctx, push.Request{
		Method: http.MethodGet, Path: c.path(namespace), What: what,
		Explain: func(r push.Refusal) (string, string) { return c.explain(r, Need{}) },
	})
	// Older versions have no empty answer.
	if push.IsNotFound(err) && strings.Contains(err.Error(), "no rule groups found") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	groups, err := parseNamespaces(text)
	if err != nil {
		return nil, fmt.Errorf("%s: what answers at %s is not Mimir's ruler: %w; check the address and --prefix", what, c.transport.Address(), err)
	}
	return groups[namespace], nil
}

// Need is what a whole push needs of the tenant's limits, so that whoever raises
// them has to do it once only.
type Need struct {
	Rules  int // of the largest group
	Groups int // new ones that are still to be written, this one included
}

// Write puts a group over the one with its name.
func (c *Client) Write(ctx context.Context, g Group, need Need) error {
	what := fmt.Sprintf("write group %s of namespace %s", g.Name, g.Namespace)
	body, err := g.YAML()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, err = c.transport.Do(ctx, push.Request{
		Method: http.MethodPost, Path: c.path(g.Namespace), Body: body, What: what,
		Explain: func(r push.Refusal) (string, string) { return c.explain(r, need) },
	})
	return err
}

// Remove takes a group away. One that is gone already is fine.
func (c *Client) Remove(ctx context.Context, namespace, name string) error {
	_, err := c.transport.Do(ctx, push.Request{
		Method: http.MethodDelete, Path: c.path(namespace, name), What: fmt.Sprintf("remove group %s of namespace %s", name, namespace),
		Explain: func(r push.Refusal) (string, string) { return c.explain(r, Need{}) },
	})
	if push.IsNotFound(err) && strings.Contains(err.Error(), "does not exist") {
		return nil
	}
	return err
}
