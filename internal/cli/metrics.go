package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/push"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
)

// readSignals reads the metrics that the flags name. Without such a flag the signals stay nil.
func (g *globals) readSignals(ctx context.Context, o lintOptions, to *checks.LintInput) error {
	var all []exposition.Page
	if o.signals != "" {
		src, err := userfile.Read(o.signals, userfile.LargeLimit)
		if err != nil {
			return userfile.ExplainMissing(o.signals, err)
		}
		signals, err := templates.ParseSignals(o.signals, src)
		if err != nil {
			return err
		}
		all = append(all, exposition.Declared(signals))
	}
	for _, page := range o.metrics {
		signals, err := readMetrics(ctx, page)
		if err != nil {
			return err
		}
		all = append(all, signals)
	}
	if o.prometheus != "" {
		if err := g.askPrometheus(ctx, o.prometheus, to); err != nil {
			return fmt.Errorf("--prometheus: %w%s", err, g.adviceFor(err))
		}
		all = append(all, exposition.Page{})
	}
	if len(all) > 0 {
		signals := exposition.Merge(all...)
		to.Signals = &signals
	}
	return nil
}

func (g *globals) askPrometheus(ctx context.Context, address string, to *checks.LintInput) error {
	p, err := g.prometheus(address)
	if err != nil {
		return err
	}
	if to.InPrometheus, err = p.Names(ctx); err != nil {
		return err
	}
	to.TypesInPrometheus, err = p.Types(ctx, to.InPrometheus)
	return err
}

// readMetrics reads a metrics page from a file or an address.
func readMetrics(ctx context.Context, name string) (exposition.Page, error) {
	var src []byte
	var err error
	if isAddress(name) {
		src, err = fetchMetrics(ctx, name)
	} else if src, err = userfile.Read(name, userfile.PageLimit); err != nil {
		err = userfile.ExplainMissing(name, err)
	}
	if err != nil {
		return exposition.Page{}, err
	}
	return exposition.Parse(withoutPassword(name), src)
}

func isAddress(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

const (
	fetchTimeout = 10 * time.Second // Prometheus's own scrape timeout
	maxRedirects = 10               // as in package http
)

func fetchMetrics(ctx context.Context, address string) ([]byte, error) {
	const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
	page, err := get(ctx, pageRequest{address: address, accept: accept, limit: fetchTimeout})
	if is[statusError](err) || is[*url.Error](err) {
		err = fmt.Errorf("%w; name the page that Prometheus scrapes, such as http://localhost:9464/metrics", err)
	}
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	return page, nil
}

// statusError is a response with a status other than 200.
type statusError struct {
	message string
	code    int
}

func (e statusError) Error() string { return e.message }

func (e statusError) denied() bool {
	return e.code == http.StatusUnauthorized || e.code == http.StatusForbidden
}

// pageRequest is a page to read.
type pageRequest struct {
	address, accept, token string
	limit                  time.Duration // 0 is that of the context
}

// get reads a page with limits on time, size and redirects. The error may be a statusError. It names the
// address without its query, which may be kilobytes long.
func get(ctx context.Context, page pageRequest) ([]byte, error) {
	if page.limit > 0 {
		limited, cancel := context.WithTimeout(ctx, page.limit)
		defer cancel()
		ctx = limited
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page.address, nil)
	if err != nil { // it quotes the address, which may have a password
		return nil, errors.New("the address is not a URL; write one such as http://localhost:9090")
	}
	request.Header.Set("Accept", page.accept)
	if page.token != "" {
		request.Header.Set("Authorization", "Bearer "+page.token)
	}
	client := http.Client{CheckRedirect: func(to *http.Request, before []*http.Request) error {
		if len(before) == maxRedirects {
			return fmt.Errorf("redirected %d times", maxRedirects)
		}
		if page.token != "" && (to.URL.Scheme != request.URL.Scheme || to.URL.Host != request.URL.Host) {
			return http.ErrUseLastResponse // package http forwards the token to other ports
		}
		return nil
	}}
	name := nameOf(request.URL)
	response, err := client.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		failed.URL, _, _ = strings.Cut(failed.URL, "?")
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if to, err := response.Location(); err == nil && response.StatusCode/100 == 3 {
		return nil, statusError{fmt.Sprintf("%s redirects to another server, %s, and the bearer token was not sent there; pass the address of that server", name, nameOf(to)), response.StatusCode}
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError{name + ": " + response.Status + reasonIn(response, page.token), response.StatusCode}
	}
	return userfile.ReadFrom(response.Body, name, userfile.PageLimit)
}

// nameOf returns a URL for messages, without password and query.
func nameOf(u *url.URL) string {
	name, _, _ := strings.Cut(u.Redacted(), "?")
	return name
}

const (
	reasonPage   = 4 << 10 // bytes of a response that are searched for the reason of its status
	reasonLength = 200
)

// reasonIn returns the reason that the body of a response gives for its status: the error in the JSON of
// Prometheus, the message in that of Pyroscope, else the first line of a text.
func reasonIn(response *http.Response, token string) string {
	if response.StatusCode == http.StatusNotFound { // the path is wrong, which the status says
		return ""
	}
	body := make([]byte, reasonPage)
	n, _ := io.ReadFull(response.Body, body) // most bodies are shorter
	body = body[:n]
	var document struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	reason, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if json.Unmarshal(body, &document) == nil {
		reason = cmp.Or(document.Error, document.Message, reason)
	}
	if reason == "" || strings.HasPrefix(reason, "<") { // HTML
		return ""
	}
	if token != "" { // which the server may quote; before the text is cut, which may leave a part of it
		reason = strings.ReplaceAll(reason, token, "xxxxx")
	}
	return ": " + shorten(reason, reasonLength)
}

// prometheusToken is the environment variable with the bearer token for Prometheus.
const prometheusToken = "SCAFFOLD_PROMETHEUS_TOKEN" //nolint:gosec // the name of a variable

// adviceFor returns what to do about a failed request to Prometheus.
func (g *globals) adviceFor(err error) string {
	var status statusError
	if !errors.As(err, &status) || status.code == http.StatusNotFound {
		return "; write the URL of Prometheus, such as http://localhost:9090"
	}
	return g.tokenAdvice(status, prometheusToken)
}

// tokenAdvice returns what to do if a server denied access.
func (g *globals) tokenAdvice(status statusError, tokenVariable string) string {
	switch {
	case !status.denied():
		return ""
	case g.Getenv(tokenVariable) == "":
		return "; set " + tokenVariable + " to a bearer token"
	}
	return "; it rejected the bearer token in " + tokenVariable
}

// prometheus reads from the API of the Prometheus at an address.
func (g *globals) prometheus(address string) (exposition.Prometheus, error) {
	read, err := g.reader(prometheusToken, fetchTimeout)
	return exposition.Prometheus{Address: address, Get: read}, err
}

// reader reads pages of one server with the token in an environment variable. The server may be any:
// the token is only sent after it denies access. A limit of 0 is that of the context.
func (g *globals) reader(tokenVariable string, limit time.Duration) (func(context.Context, string) ([]byte, error), error) {
	token, err := push.Token(g.Getenv, tokenVariable, "")
	var send atomic.Bool
	return func(ctx context.Context, address string) ([]byte, error) {
		r := pageRequest{address: address, accept: "application/json", limit: limit}
		if token == "" || !send.Load() {
			page, err := get(ctx, r)
			var status statusError
			if token == "" || !errors.As(err, &status) || !status.denied() {
				return page, err
			}
			send.Store(true)
		}
		r.token = token
		return get(ctx, r)
	}, err
}

// showMetrics reads a metrics page from a file or an address, or queries the Prometheus at an
// address.
func (g *globals) showMetrics(ctx context.Context, source string, spec slo.Spec) (checks.MetricsSource, error) {
	page := checks.MetricsSource{Source: withoutPassword(source), Target: slices.Concat(slices.Collect(maps.Keys(spec.Selector)), spec.Identity(), []string{semconv.LabelJob, semconv.LabelInstance})}
	var notPrometheus error
	if isAddress(source) && !strings.HasSuffix(strings.TrimRight(source, "/"), "/metrics") {
		server, err := g.showPrometheus(ctx, source, spec)
		var status statusError
		if errors.As(err, &status) && status.code != http.StatusNotFound {
			return server, fmt.Errorf("--metrics: %w%s", status, g.adviceFor(err))
		}
		if !errors.Is(err, exposition.ErrNoServer) {
			return server, err
		}
		notPrometheus = err
	}
	var err error
	page.Signals, err = readMetrics(ctx, source)
	if err != nil && notPrometheus != nil {
		err = fmt.Errorf("%w; %w", err, notPrometheus)
	}
	return page, err
}

// withoutPassword returns the source in the form for messages.
func withoutPassword(source string) string {
	u, err := url.Parse(source)
	switch {
	case err != nil && isAddress(source):
		return "the address"
	case err == nil && u.User != nil:
		return u.Redacted()
	}
	return source
}

func (g *globals) showPrometheus(ctx context.Context, address string, spec slo.Spec) (checks.MetricsSource, error) {
	p, err := g.prometheus(address)
	if err != nil {
		return checks.MetricsSource{}, err
	}
	var metrics []string
	for _, r := range spec.Reads() {
		metrics = append(metrics, r.Metric)
	}
	signals, err := p.Metrics(ctx, metrics)
	return checks.MetricsSource{Source: withoutPassword(address), Signals: signals, Values: func(metric, label string) ([]string, error) {
		return p.Values(ctx, metric, label)
	}}, err
}
