// Package httpclient is the component of calls to other services over HTTP.
package httpclient

import (
	"cmp"
	"embed"
	"fmt"
	"net/netip"
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
	maxHost           = 253
	// maxUpstreams limits the panels of the dashboard and the checks of a start.
	maxUpstreams = 50
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
	switch n := len(o.Upstreams); {
	case n == 0:
		report(upstreamsKey, "the list is empty; write at least one, such as - {name: payments, url: http://payments:8080}, or remove the component")
	case n > maxUpstreams:
		report(upstreamsKey, "there are %d upstreams; write at most %d", n, maxUpstreams)
		return
	}
	for i, u := range o.Upstreams {
		at := fmt.Sprintf("%s[%d].", upstreamsKey, i)
		for _, p := range []struct{ option, problem string }{
			{"name", cmp.Or(u.nameProblem(s.Prefixes), u.conflict(o.Upstreams[:i]))},
			{"url", u.urlProblem()}, {"timeout", u.timeoutProblem()}, {"healthPath", u.healthPathProblem()},
		} {
			if p.problem != "" {
				report(at+p.option, "%s", p.problem)
			}
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

// conflict returns what the name has in common with that of an upstream before it.
func (u Upstream) conflict(before []Upstream) string {
	for _, other := range before {
		switch shared := u.sharedVariable(other); {
		case u.Name == other.Name:
			return fmt.Sprintf("there are two upstreams %q; rename one", u.Name)
		case u.field() == other.field():
			return fmt.Sprintf("%q and %q are both %s in the generated code; rename one", other.Name, u.Name, u.field())
		case shared != "":
			return fmt.Sprintf("%q and %q both read the environment variable %s; rename one", other.Name, u.Name, shared)
		}
	}
	return ""
}

// sharedVariable returns an environment variable that both upstreams read, such as A_DIAL_TIMEOUT of a and a-dial.
func (u Upstream) sharedVariable(other Upstream) string {
	for _, suffix := range suffixes() {
		if name, ok := strings.CutPrefix(u.variable()+"_"+suffix, other.variable()+"_"); ok && slices.Contains(suffixes(), name) {
			return other.variable() + "_" + name
		}
	}
	return ""
}

// suffixes end the environment variables of an upstream. A test finds conflicts of those of the runtime that this list misses.
func suffixes() []string {
	return []string{
		"URL", "HEALTH_PATH", "TIMEOUT", "DIAL_TIMEOUT", "TLS_TIMEOUT", "HEADER_TIMEOUT", "ATTEMPTS", "BREAKER_RATIO", "BREAKER_OPEN", "HEDGE_AFTER", "IDLE_CONNS",
	}
}

// urlProblem returns what is wrong with the URL, without its text: even a text that is no URL may contain a password.
func (u Upstream) urlProblem() string {
	const write = "write one such as http://payments:8080"
	base, err := url.Parse(u.URL)
	switch {
	case u.URL == "":
		return "missing; " + write
	case strings.Contains(u.URL, "@") || strings.Contains(u.URL, "%40"):
		return "contains credentials; remove them: scaffold.yaml is in the repository. Send them in a header, from an environment variable of type config.Secret that the deployment sets from a Secret"
	case !strings.HasPrefix(u.URL, "http://") && !strings.HasPrefix(u.URL, "https://"):
		return "does not begin with http:// or https://, in lower case; " + write
	case strings.ContainsAny(u.URL, "?#"):
		return "has a query or a fragment; write only scheme, host and path"
	case err != nil:
		return "is not a URL; " + write
	case base.Hostname() == "":
		return "has no host; " + write
	case !validHost(base):
		return "has no valid host; write a DNS name of ASCII characters or an IP address, IPv6 as in http://[::1]:8080"
	case !validPort(base):
		return "has no valid port; write 1 to 65535, without leading zeros"
	case base.Path != "" && !validPath(strings.TrimPrefix(u.URL, base.Scheme+"://"+base.Host)):
		return "has an invalid path; write one without \"..\", and escape characters such as a space (%20)"
	}
	return ""
}

// validHost reports whether the host is a DNS name or an IP address without a zone. Names may have underscores, as those
// of Docker Compose do.
func validHost(base *url.URL) bool {
	host := base.Hostname()
	if strings.HasPrefix(base.Host, "[") {
		address, err := netip.ParseAddr(host)
		return err == nil && address.Is6() && address.Zone() == ""
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	label := regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	if len(host) > maxHost || slices.ContainsFunc(labels, func(l string) bool { return !label.MatchString(l) }) {
		return false
	}
	if !regexp.MustCompile(`^([0-9]+|0[xX][0-9A-Fa-f]*)$`).MatchString(labels[len(labels)-1]) {
		return true
	}
	_, err := netip.ParseAddr(host) // a name does not end with a number
	return err == nil
}

// validPort reports whether the port is absent or valid. A manifest would read 080 as an octal number.
func validPort(base *url.URL) bool {
	port := base.Port()
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" && !strings.HasSuffix(base.Host, ":") || err == nil && n > 0 && !strings.HasPrefix(port, "0")
}

func (u Upstream) timeoutProblem() string {
	if u.Timeout < time.Millisecond || u.Timeout > maxTimeout || u.Timeout%time.Millisecond != 0 {
		return fmt.Sprintf("%s is not a timeout; write whole milliseconds up to 10m, such as 500ms or 2s", u.Timeout)
	}
	return ""
}

func (u Upstream) healthPathProblem() string {
	if !validPath(u.HealthPath) { // the text may be a URL with a password
		return "is not a path; write one such as " + defaultHealthPath + ", without \"..\", and escape characters such as a space (%20)"
	}
	return ""
}

// validPath reports whether the runtime accepts a path with an optional query. The pattern is also in schema.json.
func validPath(text string) bool {
	pattern := regexp.MustCompile(`^/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$`)
	parsed, err := url.ParseRequestURI(text)
	return pattern.MatchString(text) && err == nil && !slices.Contains(strings.Split(parsed.Path, "/"), "..")
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
