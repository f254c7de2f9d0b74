package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// UpstreamConfig is the configuration of an upstream from environment variables: the field
// Payments of a struct reads PAYMENTS_URL, PAYMENTS_TIMEOUT, PAYMENTS_ATTEMPTS and so on. Durations
// have a unit, as in 200ms or 1m30s.
//
// A value in the struct is the default of its environment variable, and a zero means the default
// of the tag. That includes BreakerRatio: after a load it is 0 only if the environment variable
// is. In a struct that package config did not load, a BreakerRatio of 0 disables the breaker, as
// in [Config].
type UpstreamConfig struct {
	// URL is the base of all requests, such as http://payments:8080 or https://gateway/payments.
	URL string `env:"URL" required:"true" format:"url" help:"base URL, such as http://payments:8080; without credentials"`
	// HealthPath is the path of [Upstream.Check] below URL.
	HealthPath string `env:"HEALTH_PATH" default:"/healthz" help:"path below the base URL that responds with a 2xx status while the upstream works"`

	Config
}

// Host is the service that calls an upstream, such as *runtime.Service.
type Host interface {
	// Telemetry returns the telemetry of the service.
	Telemetry() *telemetry.Telemetry
	// OnStart registers a hook that runs before the service is ready.
	OnStart(name string, start func(context.Context) error)
}

// Upstream is a service that this one calls. It has a client with its own timeouts, retry budget
// and circuit breaker. It is safe for concurrent use.
type Upstream struct {
	name   string
	health string
	base   *url.URL // nil without a URL
	client *http.Client
	calls  *calls
}

// NewUpstream declares an upstream and its metrics. Nothing connects before the first request.
//
// Errors contain the name of the upstream, and name its environment variables after it: those of
// card-payments begin with CARD_PAYMENTS_. Without a URL, the host does not start, but can print
// its description. The name is in the label
// service_peer_name of all series.
func NewUpstream(host Host, name string, cfg UpstreamConfig) (*Upstream, error) {
	if name == "" {
		return nil, errors.New("httpclient: the upstream has no name; write one such as payments")
	}
	u := &Upstream{name: name, health: cmp.Or(cfg.HealthPath, "/healthz")}
	var hosts []string
	if cfg.URL == "" {
		host.OnStart(name, func(context.Context) error { return u.errNoURL() })
	} else {
		var err error
		if u.base, err = u.parse(cfg.URL); err != nil {
			return nil, err
		}
		hosts = []string{u.base.Hostname()}
	}
	if _, err := splitPath(u.health); err != nil {
		return nil, fmt.Errorf("upstream %s: %s: %w", name, u.envVar("HEALTH_PATH"), err)
	}
	var err error
	if u.calls, err = newCalls(host.Telemetry().Metrics(), name, hosts); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", name, err)
	}
	if u.client, err = newNamed(name, Options{Config: cfg.Config, Telemetry: host.Telemetry(), Hosts: hosts}); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", name, err)
	}
	u.client.Transport = &sameOrigin{upstream: u, next: u.client.Transport}
	return u, nil
}

// envVar returns the name of an environment variable of the upstream.
func (u *Upstream) envVar(suffix string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(u.name)) + "_" + suffix
}

func (u *Upstream) errNoURL() error {
	return fmt.Errorf("upstream %s: no URL; set %s to one such as http://payments:8080", u.name, u.envVar("URL"))
}

// parse returns the base URL. Its errors do not contain the text, which may contain a password
// even if it is not a URL.
func (u *Upstream) parse(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	var problem string
	switch {
	case err != nil:
		problem = "is not a URL; write one such as http://payments:8080"
	case base.Scheme != "http" && base.Scheme != "https":
		problem = "does not begin with http:// or https://; write a URL such as http://payments:8080"
	case base.Hostname() == "":
		problem = "has no host; write a URL such as http://payments:8080"
	case base.User != nil:
		problem = "contains credentials, which logs and traces show; remove them, and send them in a header from an environment variable of type config.Secret"
	case !validPort(base.Port()):
		problem = "has no valid port; write 1 to 65535"
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		problem = "has a query or a fragment; write only scheme, host and path, and pass the query to NewRequest"
	default:
		return base, nil
	}
	return nil, fmt.Errorf("upstream %s: %s %s", u.name, u.envVar("URL"), problem)
}

// NewRequest returns a request to a path below the base URL, such as /v1/charges/42?expand=refunds.
// Escape its elements with [url.PathEscape]. The request stays below the base URL: a path is never
// a host, and an element ".." is an error.
func (u *Upstream) NewRequest(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if u.base == nil {
		return nil, u.errNoURL()
	}
	below, err := splitPath(path)
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", u.name, err)
	}
	target := *u.base
	target.Path = strings.TrimSuffix(u.base.Path, "/") + below.Path
	target.RawPath = strings.TrimSuffix(u.base.EscapedPath(), "/") + below.EscapedPath()
	target.RawQuery = below.RawQuery
	return http.NewRequestWithContext(ctx, method, target.String(), body)
}

// splitPath parses a path with an optional query. Its errors do not contain the path, whose query
// may contain a secret.
func splitPath(path string) (*url.URL, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, errors.New("the path does not begin with /; write one such as /v1/status")
	}
	parsed, err := url.ParseRequestURI(path) // unlike url.Parse, it reads no host from //evil.com/
	if err != nil {
		return nil, fmt.Errorf("invalid path: %w; escape its elements with url.PathEscape", withoutURL(err))
	}
	if parsed.RawPath != "" && parsed.RawPath != parsed.EscapedPath() || strings.ContainsFunc(parsed.RawQuery, notInURL) {
		// net/url would escape the path again, and make a slash of %2F.
		return nil, errors.New("the path has a character that is not allowed in a URL; escape its elements with url.PathEscape")
	}
	if slices.Contains(strings.Split(parsed.Path, "/"), "..") {
		return nil, errors.New(`the path has an element ".."; write the path without it`)
	}
	return parsed, nil
}

// Do sends a request, as [http.Client.Do] does. Requests and redirects to another scheme, host or
// port are errors, since they would send headers with credentials to another server. The call is
// counted when its body has been read or is closed, so close it.
func (u *Upstream) Do(r *http.Request) (*http.Response, error) { return u.do(r, purposeRequest) }

func (u *Upstream) do(r *http.Request, purpose string) (*http.Response, error) {
	hurried := impatient(r.Context(), u.client.Timeout)
	resp, err := u.client.Do(r) //nolint:gosec // sameOrigin rejects requests to other servers
	if err != nil {
		u.calls.count(purpose, outcome(nil, err, hurried))
		return nil, err
	}
	resp.Body = &counted{ReadCloser: resp.Body, count: func(err error) { u.calls.count(purpose, outcome(resp, err, hurried)) }}
	return resp, nil
}

// Check is a health check for CheckOptional of the service: it succeeds if the upstream responds to
// GET HealthPath with a 2xx status and a complete body. It is a call like any other, with retries
// and the circuit breaker, and counts with the purpose check. Its errors contain the path, but no
// query.
func (u *Upstream) Check(ctx context.Context) error {
	r, err := u.NewRequest(ctx, http.MethodGet, u.health, http.NoBody)
	if err != nil {
		return err
	}
	path := r.URL.EscapedPath()
	resp, err := u.do(r, purposeCheck)
	if err != nil {
		return fmt.Errorf("upstream %s: GET %s: %w", u.name, path, withoutURL(err))
	}
	// Not every body ends with the context: that of an upgraded connection does not.
	stop := context.AfterFunc(ctx, func() { _ = resp.Body.Close() })
	defer func() { stop(); _ = resp.Body.Close() }()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("upstream %s: GET %s: status %d", u.name, path, resp.StatusCode)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, drainLimit); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("upstream %s: GET %s: status %d, but the body ended with: %w", u.name, path, resp.StatusCode, err)
	}
	return nil
}

// withoutURL returns the cause of an error of net/http or net/url, whose text has the whole URL.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// sameOrigin rejects requests to another server than that of the upstream. http.Client also sends
// redirects through it.
type sameOrigin struct {
	upstream *Upstream
	next     http.RoundTripper
}

// RoundTrip sends a request to the upstream.
func (t *sameOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.upstream.base
	if base == nil {
		closeBody(r)
		return nil, t.upstream.errNoURL()
	}
	if r.URL.Scheme != base.Scheme || !strings.EqualFold(r.URL.Hostname(), base.Hostname()) || port(r.URL) != port(base) {
		closeBody(r)
		return nil, fmt.Errorf("request to %s://%s; only %s://%s is allowed (%s)",
			r.URL.Scheme, r.URL.Host, base.Scheme, base.Host, t.upstream.envVar("URL"))
	}
	return t.next.RoundTrip(r)
}
