// Package httpclient is the component of calls to other services over HTTP.
package httpclient

import (
	"embed"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/component"
)

// Options are the options in scaffold.yaml.
type Options struct {
	Upstreams []Upstream `yaml:"upstreams"`
}

// Upstream is a service that this one calls.
type Upstream struct {
	// Name is one or more lower-case words joined by hyphens. It is the prefix of the environment variables.
	Name string `yaml:"name"`
	// URL is the base of all requests.
	URL string `yaml:"url"`
	// Timeout limits a call with its retries.
	Timeout time.Duration `yaml:"timeout"`
	// HealthPath is the path below URL that the health check requests.
	HealthPath string `yaml:"healthPath"`
}

const (
	upstreamsKey = "components.httpclient.upstreams"

	defaultTimeout = 2 * time.Second
	maxTimeout     = 10 * time.Minute
	// defaultHealthPath is that of the runtime.
	defaultHealthPath = "/healthz"
	maxName           = 40
)

// templates has the files and slots, and what package record recorded.
//
//go:embed schema.json all:files all:slots all:recorded
var templates embed.FS

// Defaults implements [component.Component].
func (o *Options) Defaults(given func(option string) bool) {
	if !given("upstreams") {
		o.Upstreams = []Upstream{{Name: "backend", URL: "http://localhost:8081"}}
	}
	for i := range o.Upstreams {
		u, at := &o.Upstreams[i], fmt.Sprintf("upstreams[%d].", i)
		if !given(at + "timeout") {
			u.Timeout = defaultTimeout
		}
		if !given(at + "healthPath") {
			u.HealthPath = defaultHealthPath
		}
	}
}

// Check implements [component.Component].
func (o *Options) Check(s component.Service, report func(path, format string, args ...any)) {
	if len(o.Upstreams) == 0 {
		report(upstreamsKey, "the list is empty; write at least one, such as - {name: payments, url: http://payments:8080}, or remove the component")
	}
	for i, u := range o.Upstreams {
		at := fmt.Sprintf("%s[%d].", upstreamsKey, i)
		for _, p := range []struct{ option, problem string }{
			{"name", u.nameProblem(s.Prefixes)}, {"url", u.urlProblem()}, {"timeout", u.timeoutProblem()}, {"healthPath", u.healthPathProblem()},
		} {
			if p.problem != "" {
				report(at+p.option, "%s", p.problem)
			}
		}
		if slices.ContainsFunc(o.Upstreams[:i], func(other Upstream) bool { return u.Name != "" && u.Name == other.Name }) {
			report(at+"name", "there are two upstreams %q; rename one", u.Name)
		}
	}
}

// validName is the form of names, as that of services.
func validName() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`) }

// nameProblem returns what is wrong with the name. Others are prefixes of components.
func (u Upstream) nameProblem(others []string) string {
	switch {
	case !validName().MatchString(u.Name) || len(u.Name) > maxName:
		return fmt.Sprintf("%q is not a name; write at most %d lower-case letters and digits, words joined by hyphens, such as card-payments", u.Name, maxName)
	case u.field() == "AddChecks":
		return fmt.Sprintf("%q is already used in the generated code; write another name", u.Name)
	}
	first, _, _ := strings.Cut(u.Name, "-")
	if slices.Contains(append(runtimePrefixes(), others...), strings.ToUpper(first)) {
		return fmt.Sprintf("%q begins with %q, as other environment variables do; write a name with another first word", u.Name, first)
	}
	return ""
}

// runtimePrefixes begin the environment variables of every service. A test compares them
// with docs/variables.*.txt.
func runtimePrefixes() []string {
	return []string{"ACCESS", "ADMIN", "DRAIN", "HEALTH", "HTTP", "LOG", "METRICS", "NO", "OTEL", "OVERLOAD", "PYROSCOPE", "STOP", "TRACE"}
}

func (u Upstream) urlProblem() string {
	const write = "write one such as http://payments:8080"
	base, err := url.Parse(u.URL)
	switch {
	case u.URL == "":
		return "missing; " + write
	case err != nil:
		return "is not a URL; " + write
	case base.User != nil: // the text is not repeated
		return "contains credentials; remove them: scaffold.yaml is in the repository. Send them in a header, from an environment variable of type config.Secret that the deployment sets from a Secret"
	case base.Scheme != "http" && base.Scheme != "https":
		return fmt.Sprintf("%q does not begin with http:// or https://; %s", u.URL, write)
	case base.Hostname() == "":
		return fmt.Sprintf("%q has no host; %s", u.URL, write)
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return fmt.Sprintf("%q has a query or a fragment; write only scheme, host and path", u.URL)
	case !validPort(base.Port()):
		return fmt.Sprintf("%q has no valid port; write 1 to 65535", u.URL)
	}
	return ""
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n >= 1 && n <= 65535
}

func (u Upstream) timeoutProblem() string {
	if u.Timeout < time.Millisecond || u.Timeout > maxTimeout || u.Timeout%time.Millisecond != 0 {
		return fmt.Sprintf("%s is not a timeout; write whole milliseconds up to 10m, such as 500ms or 2s", u.Timeout)
	}
	return ""
}

func (u Upstream) healthPathProblem() string {
	path, err := url.ParseRequestURI(u.HealthPath)
	if err != nil || !strings.HasPrefix(u.HealthPath, "/") || slices.Contains(strings.Split(path.Path, "/"), "..") {
		return fmt.Sprintf("%q is not a path; write one that begins with /, such as %s", u.HealthPath, defaultHealthPath)
	}
	return ""
}

// port returns the port of the URL.
func (u Upstream) port() string {
	base, err := url.Parse(u.URL)
	switch {
	case err != nil:
		return ""
	case base.Port() != "":
		return base.Port()
	case base.Scheme == "https":
		return "443"
	}
	return "80"
}

// variable is the prefix of the environment variables, such as CARD_PAYMENTS.
func (u Upstream) variable() string { return strings.ToUpper(strings.ReplaceAll(u.Name, "-", "_")) }

// field is the name of the field in Go, such as CardPayments.
func (u Upstream) field() string {
	var b strings.Builder
	for word := range strings.SplitSeq(u.Name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// Parts implements [component.Component].
func (o *Options) Parts(component.Service) component.Parts {
	review := map[string]string{}
	for i := range o.Upstreams {
		at := fmt.Sprintf("upstreams[%d].", i)
		review[at+"name"], review[at+"url"] = "", ""
	}
	return component.Parts{
		Templates: templates,
		Data:      o.data(),
		Review:    review,
		Files: []component.File{
			{Path: "internal/upstream/upstream.gen.go", Template: "files/upstream.gen.go.tmpl", Owner: component.Generated},
			{Path: "internal/upstream/upstream_test.go", Template: "files/upstream_test.go.tmpl", Owner: component.Generated},
		},
		Reserved:   []string{"httpclient", "upstream", "upstreams"},
		Alerts:     []slo.ComponentAlert{upstreamFailing()},
		Dependency: new(Dependency()),
		Doubles:    o.doubles(),
	}
}
