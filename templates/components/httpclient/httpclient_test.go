package httpclient_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components/httpclient"
	"github.com/observability-first/scaffold/templates/spec"
)

const service = "apiVersion: scaffold/v1\nservice: shop\nowner: a\nmodule: example.com/shop\n"

// parse reads a spec with the value of the key upstreams.
func parse(upstreams string) error {
	_, err := spec.Parse("scaffold.yaml", []byte(service+"components: {httpclient: {upstreams: "+upstreams+"}}\n"))
	return err
}

func TestInvalidUpstreams(t *testing.T) {
	t.Parallel()
	const at = "scaffold.yaml:5:"
	const key = "components.httpclient.upstreams"
	for name, tc := range map[string]struct{ upstreams, want string }{
		"not a list":   {"payments", at + `38: ` + key + `: "payments" is not a list; write at least one, such as - {name: payments, url: http://payments:8080}, or remove the component`},
		"none":         {"[]", at + `38: ` + key + `: the list is empty; write at least one, such as - {name: payments, url: http://payments:8080}, or remove the component`},
		"unknown key":  {"[{name: a, url: 'http://a', retries: 3}]", at + `66: ` + key + `[0].retries: unknown key; known here: healthPath, name, timeout, url`},
		"one name":     {"[{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]", at + `74: ` + key + `[1].name: there are two upstreams "a"; rename one`},
		"no name":      {"[{url: 'http://a'}]", at + `39: ` + key + `[0].name: "" is not a name; write at most 40 lower-case letters and digits, words joined by hyphens, such as card-payments`},
		"upper case":   {"[{name: Pay, url: 'http://a'}]", at + `46: ` + key + `[0].name: "Pay" is not a name; write at most 40 lower-case letters and digits, words joined by hyphens, such as card-payments`},
		"reserved":     {"[{name: http-store, url: 'http://a'}]", at + `46: ` + key + `[0].name: "http-store" begins with "http", as other environment variables do; write a name with another first word`},
		"method":       {"[{name: add-checks, url: 'http://a'}]", at + `46: ` + key + `[0].name: "add-checks" is already used in the generated code; write another name`},
		"no URL":       {"[{name: a}]", at + `39: ` + key + `[0].url: missing; write one such as http://payments:8080`},
		"credentials":  {"[{name: a, url: 'http://user:secret@a'}]", at + `54: ` + key + `[0].url: contains credentials; remove them: scaffold.yaml is in the repository. Send them in a header, from an environment variable of type config.Secret that the deployment sets from a Secret`},
		"scheme":       {"[{name: a, url: 'ftp://a'}]", at + `54: ` + key + `[0].url: "ftp://a" does not begin with http:// or https://; write one such as http://payments:8080`},
		"no host":      {"[{name: a, url: 'http:///a'}]", at + `54: ` + key + `[0].url: "http:///a" has no host; write one such as http://payments:8080`},
		"port":         {"[{name: a, url: 'http://a:70000'}]", at + `54: ` + key + `[0].url: "http://a:70000" has no valid port; write 1 to 65535`},
		"no URL text":  {"[{name: a, url: 'http://a:b'}]", at + `54: ` + key + `[0].url: is not a URL; write one such as http://payments:8080`},
		"query":        {"[{name: a, url: 'http://a?b=c'}]", at + `54: ` + key + `[0].url: "http://a?b=c" has a query or a fragment; write only scheme, host and path`},
		"zero timeout": {"[{name: a, url: 'http://a', timeout: 0s}]", at + `75: ` + key + `[0].timeout: 0s is not a timeout; write whole milliseconds up to 10m, such as 500ms or 2s`},
		"microseconds": {"[{name: a, url: 'http://a', timeout: 1500us}]", at + `75: ` + key + `[0].timeout: 1.5ms is not a timeout; write whole milliseconds up to 10m, such as 500ms or 2s`},
		"wrong type":   {"[{name: a, url: 'http://a', timeout: [2s]}]", at + `75: ` + key + `[0].timeout: a list is not a duration; write one such as 200ms, 15s or 30d`},
		"path":         {"[{name: a, url: 'http://a', healthPath: healthz}]", at + `78: ` + key + `[0].healthPath: "healthz" is not a path; write one that begins with /, such as /healthz`},
		"path upwards": {"[{name: a, url: 'http://a', healthPath: /../x}]", at + `78: ` + key + `[0].healthPath: "/../x" is not a path; write one that begins with /, such as /healthz`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parse(tc.upstreams)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret@") {
				t.Error("the message contains the password")
			}
		})
	}
}

func TestUpstreamDefaults(t *testing.T) {
	t.Parallel()
	s, err := spec.Parse("scaffold.yaml", []byte(service+"components: {httpclient: {upstreams: [{name: a, url: 'https://a'}, {name: card-payments, url: 'http://b:8080/v2', timeout: 8s, healthPath: /ready}]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []httpclient.Upstream{
		{Name: "a", URL: "https://a", Timeout: 2e9, HealthPath: "/healthz"},
		{Name: "card-payments", URL: "http://b:8080/v2", Timeout: 8e9, HealthPath: "/ready"},
	}
	if got := s.Components.HTTPClient.Upstreams; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A name that begins as environment variables of the runtime or of another component do could set them.
func TestPrefixesOfOthersAreReserved(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../docs/variables.*.txt")
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(src)) {
			variable, _, _ := strings.Cut(line, " ")
			prefix, _, isVariable := strings.Cut(variable, "_")
			if !isVariable || prefix == "BACKEND" {
				continue
			}
			if err := parse("[{name: " + strings.ToLower(prefix) + ", url: 'http://a'}]"); err == nil {
				t.Errorf("%s: an upstream may be named %s, as the variable %s", filepath.Base(file), strings.ToLower(prefix), variable)
			}
		}
	}
}

func TestDoubleGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	var o httpclient.Options
	o.Defaults(func(string) bool { return false })
	doubles := o.Parts(component.Service{}).Doubles
	if len(doubles) != 1 || doubles[0].Variable != "BACKEND_URL" {
		t.Fatalf("got %+v, want one with BACKEND_URL", doubles)
	}
	server, env, err := doubles[0].Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(env[0], "=")
	call := func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for i, step := range []struct {
		do   func() error
		away bool
	}{
		{func() error { return nil }, false}, {server.Stop, true},
		{func() error { return server.Restart(context.Background()) }, false}, {server.Close, true},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if err := call(); (err != nil) != step.away {
			t.Errorf("step %d: %v, want away %t", i, err, step.away)
		}
	}
}
