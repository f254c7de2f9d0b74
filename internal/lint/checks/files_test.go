package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/project"
)

// found returns the findings of a check in a service with these files and outputs of commands.
func found(t *testing.T, check Check, files, printed map[string]string) string {
	t.Helper()
	target := serviceOf(t, services()["minimal"])
	for name, text := range files {
		put(t, target, name, text)
	}
	target.Ask = func(_ context.Context, verb string) ([]byte, error) {
		if out, ok := printed[verb]; ok {
			return []byte(out), nil
		}
		return nil, errors.New("go run ./cmd/shop: exit status 1")
	}
	findings, err := check.Run(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

func TestGoVersionsMatchGoMod(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ mod, dockerfile, want string }{
		"same version":                   {"go 1.26.0\n", "FROM golang:1.26.0\n", ""},
		"newer patch":                    {"go 1.26.0\n", "FROM golang:1.26.4\n", ""},
		"no patch":                       {"go 1.26.0\n", "FROM golang:1.26\n", ""},
		"other version":                  {"go 1.26.0\n", "# x\nFROM golang:1.25.1\n", "Dockerfile:2: builds with Go 1.25.1 but go.mod has 1.26.0; use the same version\n"},
		"other patch than the toolchain": {"go 1.26.0\ntoolchain go1.26.4\n", "FROM golang:1.26.3\n", "Dockerfile:1: builds with Go 1.26.3 but go.mod has 1.26.4; use the same version\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := found(t, goVersionCheck{}, map[string]string{"go.mod": "module example.com/shop\n" + tc.mod, "Dockerfile": tc.dockerfile}, nil); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestReplaceOutsideOfTheRepositoryIsAWarning(t *testing.T) {
	t.Parallel()
	const head = "module example.com/shop\ngo 1.26.0\nreplace example.com/x => "
	for name, tc := range map[string]struct{ to, want string }{
		"directory of the service": {"./x", ""},
		"other module":             {"example.com/y v1.0.0", ""},
		"directory outside":        {"../", "go.mod:3: example.com/x is replaced by ../, outside of this repository"},
		"missing directory":        {"./y", "go.mod:3: example.com/x is replaced by ./y, which does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := found(t, replaceCheck{}, map[string]string{"go.mod": head + tc.to + "\n", "x/go.mod": "module example.com/x\n"}, nil)
			if !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// The build reports a missing runtime, unless it is vendored.
func TestMissingRuntimeIsReportedOnce(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"go.mod":        "module example.com/shop\ngo 1.26.0\nreplace " + project.RuntimeImport() + " => ./missing\n",
		"scaffold.yaml": "apiVersion: scaffold/v1\n",
	}
	if got := found(t, replaceCheck{}, files, nil); got != "" {
		t.Errorf("got %s, want nothing", got)
	}
	files["vendor/modules.txt"] = "# x\n"
	want := "which does not exist; run scaffold generate --runtime "
	if got := found(t, replaceCheck{}, files, nil); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUnknownEnvironmentVariableIsReported(t *testing.T) {
	t.Parallel()
	files := map[string]string{"Dockerfile": "ENV HTTP_PROT=8080\n", "Makefile": "run:\n\tCGO_ENABLED=0 HTTP_PORT=1 go run .\n"}
	for _, overlay := range []string{"dev", "prod", "staging"} {
		files["deploy/overlays/"+overlay+"/kustomization.yaml"] = "resources: []\n" // else the check builds the service
	}
	const want = "Dockerfile:1: unknown environment variable HTTP_PROT; did you mean \"HTTP_PORT\"?\n"
	if got := found(t, variablesCheck{}, files, map[string]string{"config": "HTTP_PORT 8080\n"}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := found(t, variablesCheck{}, files, nil); got != "" {
		t.Errorf("service that does not run: %s", got)
	}
}

func TestLatencyThresholdAboveTheTimeoutIsAWarning(t *testing.T) {
	t.Parallel()
	for threshold, want := range map[string]string{
		"1s": "",
		"1h": "scaffold.yaml:5:64: slos[0].indicator.latency.threshold: requests except streams end after HTTP_REQUEST_TIMEOUT=30s and cannot exceed the threshold 1h0m0s; lower the threshold or raise the timeout\n",
	} {
		files := map[string]string{"scaffold.yaml": "apiVersion: scaffold/v1\nservice: shop\nowner: a\nslos:\n- {name: fast, objective: 99, indicator: {latency: {threshold: " + threshold + "}}}\n"}
		for _, overlay := range []string{"dev", "prod", "staging"} {
			files["deploy/overlays/"+overlay+"/kustomization.yaml"] = "resources: []\n" // else the check builds the service
		}
		printed := map[string]string{"config": "HTTP_REQUEST_TIMEOUT  duration  30s  30s  maximum time\n"}
		if got := found(t, variablesCheck{}, files, printed); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestChangedSignalsAreReported(t *testing.T) {
	t.Parallel()
	metric := func(name, help string) string {
		return fmt.Sprintf(`{"name":%q,"type":"counter","help":%q,"labels":[]}`, name, help)
	}
	signals := func(service, routes string, metrics ...string) string {
		return fmt.Sprintf(`{"service":%q,"routes":[%s],"metrics":[%s]}`, service, routes, strings.Join(metrics, ","))
	}
	const at = "observability/telemetry.json: "
	declared := signals("shop", `"GET /a"`, metric("jobs_total", "Jobs."), metric("old_total", "Old."))
	for name, tc := range map[string]struct{ printed, want string }{
		"unchanged":          {declared, ""},
		"metric of Go":       {signals("shop", `"GET /a"`, metric("jobs_total", "Jobs."), metric("old_total", "Old."), metric("go_gc_total", "GC.")), ""},
		"added route":        {signals("shop", `"GET /a","PUT /a"`, metric("jobs_total", "Jobs."), metric("old_total", "Old.")), at + "route PUT /a was added; run scaffold generate\n"},
		"changed metric":     {signals("shop", `"GET /a"`, metric("jobs_total", "All jobs."), metric("old_total", "Old.")), at + "metric jobs_total has changed; run scaffold generate\n"},
		"removed metric":     {signals("shop", `"GET /a"`, metric("jobs_total", "Jobs.")), at + "metric old_total was removed; run scaffold generate\n"},
		"other service name": {strings.Replace(declared, `"shop"`, `"shopp"`, 1), "cmd/shop/main.go: Name in runtime.Info is \"shopp\""},
		"invalid output":     {"{}", at + "the service's telemetry command: not declared signals"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := found(t, signalsCheck{}, map[string]string{project.TelemetryPath: declared}, map[string]string{project.TelemetryVerb: tc.printed})
			if !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestCompilerErrorsAreReportedAtTheirPlaces(t *testing.T) {
	t.Parallel()
	const head = "go run ./cmd/shop: exit status 1\n"
	for name, tc := range map[string]struct{ printed, want string }{
		"syntax error": {
			head + "# example.com/shop/internal/api\ninternal/api/routes.go:17:22: syntax error: unexpected newline\n",
			"internal/api/routes.go:17:22: syntax error: unexpected newline\n",
		},
		"two errors, one of several lines": {
			head + "# example.com/shop/cmd/shop\r\n./main.go:3:4: not enough arguments in call to f\r\n\thave (string)\r\n\twant (string, bool)\r\n./main.go:9:2: undefined: g\r\n./main.go:9:2: too many errors\r\n",
			"main.go:3:4: not enough arguments in call to f have (string) want (string, bool)\nmain.go:9:2: undefined: g\n",
		},
		"output without a place": {
			"shop telemetry: exit status 2\npanic: two routes\n\ngoroutine 1 [running]:\n\t/srv/main.go:3 +0x1\n",
			"cmd/shop: shop telemetry: exit status 2; panic: two routes\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, f := range notRunnable("shop", errors.New(tc.printed)) {
				fmt.Fprintln(&b, f)
			}
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
