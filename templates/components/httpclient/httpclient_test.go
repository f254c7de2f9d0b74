package httpclient_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

const (
	at     = "scaffold.yaml:5:"
	key    = "components.httpclient.upstreams"
	atURL  = at + `54: ` + key + `[0].url: `
	atPath = at + `78: ` + key + `[0].healthPath: `
)

// invalid is the value of the key upstreams, and the error that it must cause.
type invalid struct{ upstreams, want string }

func checkErrors(t *testing.T, cases map[string]invalid) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parse(tc.upstreams)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "user") {
				t.Error("the message contains the credentials")
			}
		})
	}
}

func TestInvalidUpstreams(t *testing.T) {
	t.Parallel()
	checkErrors(t, map[string]invalid{
		"not a list":                     {"payments", at + `38: ` + key + `: "payments" is not a list; write at least one, such as - {name: payments, url: http://payments:8080}, or remove the component`},
		"none":                           {"[]", at + `38: ` + key + `: the list is empty; write at least one, such as - {name: payments, url: http://payments:8080}, or remove the component`},
		"unknown key":                    {"[{name: a, url: 'http://a', retries: 3}]", at + `66: ` + key + `[0].retries: unknown key; known here: healthPath, name, timeout, url`},
		"one name":                       {"[{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]", at + `74: ` + key + `[1].name: there are two upstreams "a"; rename one`},
		"one field":                      {"[{name: a-1, url: 'http://a'}, {name: a1, url: 'http://b'}]", at + `76: ` + key + `[1].name: "a-1" and "a1" are both A1 in the generated code; rename one`},
		"one field, in the other order":  {"[{name: a1, url: 'http://a'}, {name: a-1, url: 'http://b'}]", at + `75: ` + key + `[1].name: "a1" and "a-1" are both A1 in the generated code; rename one`},
		"one field of three words":       {"[{name: x1-2, url: 'http://a'}, {name: x12, url: 'http://b'}]", at + `77: ` + key + `[1].name: "x1-2" and "x12" are both X12 in the generated code; rename one`},
		"one environment variable, dial": {"[{name: a, url: 'http://a'}, {name: a-dial, url: 'http://b'}]", at + `74: ` + key + `[1].name: "a" and "a-dial" both read the environment variable A_DIAL_TIMEOUT; rename one`},
		"one environment variable, dial, in the other order":   {"[{name: a-dial, url: 'http://a'}, {name: a, url: 'http://b'}]", at + `79: ` + key + `[1].name: "a-dial" and "a" both read the environment variable A_DIAL_TIMEOUT; rename one`},
		"one environment variable, tls":                        {"[{name: a, url: 'http://a'}, {name: a-tls, url: 'http://b'}]", at + `74: ` + key + `[1].name: "a" and "a-tls" both read the environment variable A_TLS_TIMEOUT; rename one`},
		"one environment variable, tls, in the other order":    {"[{name: a-tls, url: 'http://a'}, {name: a, url: 'http://b'}]", at + `78: ` + key + `[1].name: "a-tls" and "a" both read the environment variable A_TLS_TIMEOUT; rename one`},
		"one environment variable, header":                     {"[{name: a, url: 'http://a'}, {name: a-header, url: 'http://b'}]", at + `74: ` + key + `[1].name: "a" and "a-header" both read the environment variable A_HEADER_TIMEOUT; rename one`},
		"one environment variable, header, in the other order": {"[{name: a-header, url: 'http://a'}, {name: a, url: 'http://b'}]", at + `81: ` + key + `[1].name: "a-header" and "a" both read the environment variable A_HEADER_TIMEOUT; rename one`},
		"too many":   {manyUpstreams(51), at + `38: ` + key + `: there are 51 upstreams; write at most 50`},
		"no name":    {"[{url: 'http://a'}]", at + `39: ` + key + `[0].name: "" is not a name; write at most 40 lower-case letters and digits, words joined by hyphens, such as card-payments`},
		"upper case": {"[{name: Pay, url: 'http://a'}]", at + `46: ` + key + `[0].name: "Pay" is not a name; write at most 40 lower-case letters and digits, words joined by hyphens, such as card-payments`},
		"reserved":   {"[{name: http-store, url: 'http://a'}]", at + `46: ` + key + `[0].name: "http-store" begins with "http", as other environment variables do; write a name with another first word`},
		"method":     {"[{name: add-checks, url: 'http://a'}]", at + `46: ` + key + `[0].name: "add-checks" is already used in the generated code; write another name`},
		"no URL":     {"[{name: a}]", at + `39: ` + key + `[0].url: missing; write one such as http://payments:8080`},
	})
}

func TestInvalidURLs(t *testing.T) {
	t.Parallel()
	const (
		notURL      = atURL + `is not a URL; write one such as http://payments:8080`
		credentials = atURL + `contains credentials; remove them: scaffold.yaml is in the repository. Send them in a header, from an environment variable of type config.Secret that the deployment sets from a Secret`
		host        = atURL + `has no valid host; write a DNS name of ASCII characters or an IP address, IPv6 as in http://[::1]:8080`
		port        = atURL + `has no valid port; write 1 to 65535, without leading zeros`
		urlPath     = atURL + `has an invalid path; write one without "..", and escape characters such as a space (%20)`
	)
	checkErrors(t, map[string]invalid{
		"credentials":                  {"[{name: a, url: 'http://user:secret@a'}]", credentials},
		"credentials without a scheme": {"[{name: a, url: 'user:secret@a'}]", credentials},
		"credentials without slashes":  {"[{name: a, url: 'http:user:secret@a'}]", credentials},
		"credentials in the path":      {"[{name: a, url: 'http:///user:secret@a'}]", credentials},
		"credentials, escaped":         {"[{name: a, url: 'http://user%3Asecret%40a'}]", credentials},
		"scheme":                       {"[{name: a, url: 'ftp://a'}]", atURL + `does not begin with http:// or https://, in lower case; write one such as http://payments:8080`},
		"upper-case scheme":            {"[{name: a, url: 'HTTP://a'}]", atURL + `does not begin with http:// or https://, in lower case; write one such as http://payments:8080`},
		"no host":                      {"[{name: a, url: 'http:///a'}]", atURL + `has no host; write one such as http://payments:8080`},
		"host that is not ASCII":       {"[{name: a, url: 'http://bücher'}]", host},
		"host with an escape":          {"[{name: a, url: 'http://a%2Eb'}]", notURL},
		"host with escaped UTF-8":      {"[{name: a, url: 'http://b%C3%BCcher'}]", host},
		"host with an empty label":     {"[{name: a, url: 'http://a..b'}]", host},
		"host with a space":            {"[{name: a, url: 'http://a b'}]", notURL},
		"IPv4 address out of range":    {"[{name: a, url: 'http://10.0.0.256'}]", host},
		"host that is a number":        {"[{name: a, url: 'http://0x7f.1'}]", host},
		"zone":                         {"[{name: a, url: 'http://[fe80::1%25eth0]'}]", host},
		"IPv6 without brackets":        {"[{name: a, url: 'http://fe80::1'}]", notURL},
		"long host":                    {"[{name: a, url: 'http://" + strings.Repeat("abc.", 63) + "de'}]", host},
		"long label":                   {"[{name: a, url: 'http://" + strings.Repeat("a", 64) + "'}]", host},
		"port":                         {"[{name: a, url: 'http://a:70000'}]", port},
		"port 0":                       {"[{name: a, url: 'http://a:0'}]", port},
		"port with a leading zero":     {"[{name: a, url: 'http://a:080'}]", port},
		"empty port":                   {"[{name: a, url: 'http://a:/b'}]", port},
		"space in the path of a URL":   {"[{name: a, url: 'http://a/b c'}]", urlPath},
		"URL upwards":                  {"[{name: a, url: 'http://a/%2e%2e/b'}]", urlPath},
		"no URL text":                  {"[{name: a, url: 'http://a:b'}]", notURL},
		"query":                        {"[{name: a, url: 'http://a?b=c'}]", atURL + `has a query or a fragment; write only scheme, host and path`},
	})
}

func TestInvalidTimeoutsAndHealthPaths(t *testing.T) {
	t.Parallel()
	const path = atPath + `is not a path; write one such as /healthz, without "..", and escape characters such as a space (%20)`
	checkErrors(t, map[string]invalid{
		"zero timeout":            {"[{name: a, url: 'http://a', timeout: 0s}]", at + `75: ` + key + `[0].timeout: 0s is not a timeout; write whole milliseconds up to 10m, such as 500ms or 2s`},
		"microseconds":            {"[{name: a, url: 'http://a', timeout: 1500us}]", at + `75: ` + key + `[0].timeout: 1.5ms is not a timeout; write whole milliseconds up to 10m, such as 500ms or 2s`},
		"wrong type":              {"[{name: a, url: 'http://a', timeout: [2s]}]", at + `75: ` + key + `[0].timeout: a list is not a duration; write one such as 200ms, 15s or 30d`},
		"path":                    {"[{name: a, url: 'http://a', healthPath: 'healthz'}]", path},
		"path upwards":            {"[{name: a, url: 'http://a', healthPath: '/../x'}]", path},
		"path upwards, escaped":   {"[{name: a, url: 'http://a', healthPath: '/%2e%2e/x'}]", path},
		"path that is a URL":      {"[{name: a, url: 'http://a', healthPath: 'http://user:secret@a/'}]", path},
		"host in place of a path": {"[{name: a, url: 'http://a', healthPath: 'a/b'}]", path},
	})
}

// manyUpstreams returns a list of upstreams with different names.
func manyUpstreams(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("{name: u%d, url: 'http://a:%d'}", i, 8000+i))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func TestInvalidHealthPathCharacters(t *testing.T) {
	t.Parallel()
	u := named("a")
	for _, c := range []string{" ", "\t", "\n", "\x7f", "\u00fc", "#", "{", "}", "|", "^", "<", ">", "`", `\`, `"`, "[", "]", "%", "%2", "%zz"} {
		for _, path := range []string{"/a" + c, "/a?b=" + c} {
			if u.HealthPath = path; problem(u) == "" {
				t.Errorf("the health path %q is valid", path)
			}
		}
	}
}

func TestValidUpstreams(t *testing.T) {
	t.Parallel()
	if err := parse(manyUpstreams(50)); err != nil {
		t.Error(err)
	}
	for _, u := range []httpclient.Upstream{
		{URL: "http://payments"}, {URL: "http://payments.shop.svc.:8080"}, {URL: "https://API.example.com/v2/"}, {URL: "http://my_service:65535"},
		{URL: "http://10.0.0.1:80"}, {URL: "http://[::1]:8080"}, {URL: "https://[2001:db8::1]"}, {URL: "http://" + strings.Repeat("abc.", 63) + "d"},
		{URL: "http://3scale/a%20b"}, {HealthPath: "/"}, {HealthPath: "/a%20b;c=d/$e"}, {HealthPath: "/healthz?full=true&checks=a,b/c?d"}, {HealthPath: "//a"},
	} {
		u.Name, u.URL, u.HealthPath, u.Timeout = "a", cmp.Or(u.URL, "http://a"), cmp.Or(u.HealthPath, "/healthz"), time.Second
		if p := problem(u); p != "" {
			t.Errorf("%+v: %s", u, p)
		}
	}
}

// named returns a valid upstream.
func named(name string) httpclient.Upstream {
	return httpclient.Upstream{Name: name, URL: "http://a", Timeout: time.Second, HealthPath: "/healthz"}
}

// problem returns the first problem of upstreams.
func problem(upstreams ...httpclient.Upstream) string {
	var found string
	o := httpclient.Options{Upstreams: upstreams}
	o.Check(component.Service{}, func(path, format string, args ...any) {
		found = cmp.Or(found, path+": "+fmt.Sprintf(format, args...))
	})
	return found
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

// The environment variables that conflicts are found by are those of the runtime.
func TestConflictsOfAllEnvironmentVariables(t *testing.T) {
	t.Parallel()
	suffixes := suffixesOfRuntime(t)
	if len(suffixes) < 11 {
		t.Fatalf("only %q", suffixes)
	}
	for _, long := range suffixes {
		for _, short := range suffixes {
			word, ok := strings.CutSuffix(long, "_"+short)
			if !ok {
				continue
			}
			names := []string{"a", "a-" + strings.ToLower(strings.ReplaceAll(word, "_", "-"))}
			for range 2 {
				if problem(named(names[0]), named(names[1])) == "" {
					t.Errorf("%q both read A_%s", names, long)
				}
				slices.Reverse(names)
			}
		}
	}
}

// suffixesOfRuntime returns what follows the name of an upstream in its environment variables, as a service printed them.
func suffixesOfRuntime(t *testing.T) []string {
	t.Helper()
	src, err := os.ReadFile("../../../docs/variables.httpclient.txt")
	if err != nil {
		t.Fatal(err)
	}
	var suffixes []string
	for line := range strings.Lines(string(src)) {
		if suffix, ok := strings.CutPrefix(line, "BACKEND_"); ok {
			suffixes = append(suffixes, strings.Fields(suffix)[0])
		}
	}
	return suffixes
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
