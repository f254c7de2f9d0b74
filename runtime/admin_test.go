package runtime_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

func TestAdminIndexListsEachEndpoint(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple)
	status, text := getPlain(t, svc.AdminURL+"/")
	if status != http.StatusOK || !strings.HasPrefix(text, "Admin listener of orders\n\nGET  /livez ") {
		t.Fatalf("status %d: %s", status, text)
	}
	if !strings.HasSuffix(text, "\n\n* Requires a request from this host, or the header Authorization: Bearer ADMIN_TOKEN.\n") {
		t.Errorf("the index lacks the requirement of guarded requests:\n%s", text)
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "/") || strings.Contains(line, "?seconds=") {
			continue
		}
		if strings.HasPrefix(fields[1], "/debug/pprof/") && len(fields) < 4 {
			t.Errorf("no description: %s", line)
		}
		if fields[0] != http.MethodGet {
			continue // TestAdminGuard changes these settings
		}
		if status, _ := getPlain(t, svc.AdminURL+fields[1]); status != http.StatusOK {
			t.Errorf("GET %s: status %d, want 200", fields[1], status)
		}
	}
	if status, _ := getPlain(t, svc.AdminURL+"/nothing"); status != http.StatusNotFound {
		t.Errorf("GET /nothing: status %d, want 404", status)
	}
}

func TestUnchangeableSamplingRatioHasAReason(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env  []string
		want string
	}{
		"without an exporter":      {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT="}, "traces are not exported; set OTEL_EXPORTER_OTLP_ENDPOINT\n"},
		"with OTEL_TRACES_SAMPLER": {nil, "OTEL_TRACES_SAMPLER is set; unset it to change the ratio\n"},
		"with scaffold's sampler":  {[]string{"OTEL_TRACES_SAMPLER="}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := servicetest.Start(t, info, runtime.Defaults{}, simple, tc.env...)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, svc.AdminURL+"/sampling?ratio=1", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode == http.StatusOK {
				body = nil
			}
			if string(body) != tc.want {
				t.Errorf("got %d %q, want %q", res.StatusCode, body, tc.want)
			}
		})
	}
}

func TestAdminGuard(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, "ADMIN_TOKEN=s3cret")
	for name, tc := range map[string]struct {
		method, path, host, origin, token, header string
		want                                      int
	}{
		"probes are open":                                    {path: "/readyz", host: "10.1.2.3:9464", want: 200},
		"metrics are open":                                   {path: "/metrics", host: "orders.svc:9464", want: 200},
		"profiles are open to this host":                     {path: "/debug/pprof/", want: 200},
		"another name of this host is rejected":              {path: "/debug/pprof/", host: "evil.example", want: 403},
		"a page of another site is rejected":                 {path: "/debug/pprof/", origin: "https://evil.example", want: 403},
		"the token is accepted from everywhere":              {path: "/debug/pprof/", host: "evil.example", token: "s3cret", want: 200},
		"another token is rejected":                          {path: "/debug/pprof/", host: "evil.example", token: "guess", want: 401},
		"a wrong token is rejected on this host":             {path: "/debug/pprof/", token: "guess", want: 401},
		"an empty token is rejected":                         {path: "/debug/pprof/", header: "Authorization: Bearer ", want: 401},
		"another scheme is rejected":                         {path: "/debug/pprof/", header: "Authorization: Basic czNjcmV0", want: 401},
		"the scheme is case-insensitive":                     {path: "/debug/pprof/", header: "Authorization: bearer s3cret", want: 200},
		"Forwarded means a proxy":                            {path: "/debug/pprof/", header: "Forwarded: for=192.0.2.60", want: 403},
		"X-Forwarded-For means a proxy":                      {path: "/debug/pprof/", header: "X-Forwarded-For: 192.0.2.60", want: 403},
		"X-Forwarded-Host means a proxy":                     {path: "/debug/pprof/", header: "x-forwarded-host: admin.example", want: 403},
		"X-Forwarded-Proto means a proxy":                    {path: "/debug/pprof/", header: "X-Forwarded-Proto: https", want: 403},
		"X-Real-Ip means a proxy":                            {path: "/debug/pprof/", header: "X-Real-IP: 127.0.0.1", want: 403},
		"Via means a proxy":                                  {path: "/debug/pprof/", header: "Via: 1.1 proxy", want: 403},
		"an empty header means a proxy":                      {method: "PUT", path: "/loglevel?level=debug", header: "X-Forwarded-For: ", want: 403},
		"the token is accepted through a proxy":              {path: "/debug/pprof/", token: "s3cret", header: "X-Forwarded-For: 192.0.2.60", want: 200},
		"probes are open through a proxy":                    {path: "/readyz", header: "X-Forwarded-For: 192.0.2.60", want: 200},
		"the level can be changed":                           {method: "PUT", path: "/loglevel?level=debug&for=1m", want: 200},
		"the level is checked":                               {method: "PUT", path: "/loglevel?level=loud", want: 400},
		"the duration of a change is limited":                {method: "PUT", path: "/loglevel?level=debug&for=48h", want: 400},
		"GET changes no level":                               {path: "/loglevel?level=debug", want: 405},
		"the ratio of OTEL_TRACES_SAMPLER cannot be changed": {method: "PUT", path: "/sampling?ratio=1", want: 409},
		"a ratio is checked":                                 {method: "PUT", path: "/sampling?ratio=7", want: 400},
		"a page of another site changes no level":            {method: "PUT", path: "/loglevel?level=debug", origin: "http://evil.example", want: 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tc.method, svc.AdminURL+tc.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if tc.host != "" {
				req.Host = tc.host
			}
			if tc.origin != "" {
				req.Header.Set("Origin", tc.origin)
			}
			if tc.token != "" {
				req.Header.Set("Authorization", "Bearer "+tc.token)
			}
			if name, value, found := strings.Cut(tc.header, ": "); found {
				req.Header.Set(name, value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != tc.want {
				t.Errorf("got %d %s, want %d", res.StatusCode, body, tc.want)
			}
		})
	}
}

func TestLevelChangeTakesEffect(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, "LOG_LEVEL=error")
	if lines := svc.Logs(); len(lines) != 0 {
		t.Errorf("lines below the level: %v", lines)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, svc.AdminURL+"/loglevel?level=info", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !strings.Contains(string(body), "log level is INFO for 10m0s") {
		t.Errorf("body %q", body)
	}
	svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "changed on the admin listener" })
}

// A change reverts automatically, and an earlier change does not shorten a later one.
func TestLevelChangeExpires(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		router := httpserver.NewRouter()
		router.Get("/orders", func(_ http.ResponseWriter, r *http.Request) {
			svc.Logger().DebugContext(r.Context(), "looked")
		})
		svc.Handle(router)
		return svc.Run(ctx)
	})
	looked := func() int {
		res, err := http.Get(svc.URL + "/orders")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return len(slices.DeleteFunc(svc.Logs(), func(l servicetest.Line) bool { return l["msg"] != "looked" }))
	}
	put := func(last string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, svc.AdminURL+"/loglevel?level=debug&for="+last, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if n := looked(); n != 0 {
		t.Fatalf("%d debug lines at the configured level", n)
	}
	put("1ns") // over before the next one
	put("1h")
	looked()
	svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "looked" }) // lines are written after the response
	put("1ns")
	deadline := time.Now().Add(servicetest.Timeout)
	for before := looked(); ; {
		now := looked()
		if now == before {
			return // nothing was added: the level was reverted
		}
		if before = now; time.Now().After(deadline) {
			t.Fatal("the level was not reverted")
		}
	}
}
