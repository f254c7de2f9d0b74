package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/templates"
)

// shop is a generated service that a test edits as its owner would.
type shop struct {
	t   *testing.T
	dir string
}

func newShop(t *testing.T) shop {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a service")
	}
	s := shop{t, filepath.Join(t.TempDir(), "shop")}
	runtime, err := filepath.Abs("../../runtime")
	if err != nil {
		t.Fatal(err)
	}
	if status, _, errs := s.scaffold("new", "shop", "--dir", s.dir, "--module", "example.com/shop", "--runtime", runtime); status != cli.ExitDone {
		t.Fatalf("new: %s", errs)
	}
	return s
}

func (s shop) scaffold(args ...string) (status int, out, errs string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	f := cli.System(templates.Render)
	f.Streams = cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	f.Getenv = func(string) string { return "" }
	status = cli.Main(s.t.Context(), args, f)
	return status, stdout.String(), stderr.String()
}

func (s shop) check(wantStatus int, want ...string) string {
	s.t.Helper()
	status, out, errs := s.scaffold("check", s.dir)
	if status != wantStatus {
		s.t.Errorf("check: status %d, want %d\n%s%s", status, wantStatus, out, errs)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			s.t.Errorf("check does not say %q:\n%s%s", text, out, errs)
		}
	}
	return out
}

func (s shop) write(path, text string) {
	s.t.Helper()
	path = filepath.Join(s.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s shop) edit(path, before, after string) {
	s.t.Helper()
	text := s.read(path)
	if !strings.Contains(text, before) {
		s.t.Fatalf("%s does not hold %q:\n%s", path, before, text)
	}
	s.write(path, strings.Replace(text, before, after, 1))
}

func (s shop) read(path string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, path))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// A new route and a new counter appear in the declared signals, and a user-owned dashboard may
// query them.
func TestEndToEndAddedRouteAndMetric(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.check(cli.ExitDone, "shop: no errors")

	s.edit("internal/api/routes.go", `router.Get("/openapi.json"`, "router.Get(\"/v1/hello\", func(http.ResponseWriter, *http.Request) {})\n\trouter.Get(\"/openapi.json\"")
	s.edit("cmd/shop/main.go", "\tsvc.Handle(", `	visits, err := svc.Metrics().Counter("visits_total", "Visits of the shop.", "door")
	if err != nil {
		return err
	}
	visits.WithLabelValues("front")
	if _, err := svc.Metrics().Gauge("shelf_items", "Items on a shelf.", "shelf"); err != nil {
		return err
	}
	svc.Handle(`)
	s.write("observability/dashboards/own/visits.json",
		`{"uid":"shop-visits","title":"Visits","panels":[{"title":"Visits","datasource":{"type":"prometheus"},"targets":[{"refId":"A","expr":"sum by (door) (rate(visits_total{job=\"shop\"}[$__rate_interval]))"}]}]}`)
	s.edit("scaffold.yaml", "slos:\n", "slos:\n  - {name: visits, objective: 99, indicator: {ratio: {total: visits_total, bad: 'visits_total{door=\"back\"}'}}}\n")
	out := s.check(cli.ExitDrift,
		"route GET /v1/hello was added; run scaffold generate", "api/openapi.json:8:3: GET /v1/hello is a route without an operation; add the operation", "metric visits_total was added; run scaffold generate",
		"observability/kustomization.yaml: out of date; run scaffold generate")
	if strings.Contains(out, "is not declared") {
		t.Errorf("check does not know a metric that the service has since the last generation:\n%s", out)
	}

	if status, out, errs := s.scaffold("generate", s.dir); status != cli.ExitDone || !strings.Contains(out, "observability/telemetry.json") {
		t.Fatalf("generate: status %d\n%s%s", status, out, errs)
	}
	for _, want := range []string{`"GET /v1/hello"`, `"visits_total"`, `"door"`} {
		if !strings.Contains(s.read("observability/telemetry.json"), want) {
			t.Errorf("the declared signals lack %s", want)
		}
	}
	const custom = "observability/dashboards/shop-custom.json"
	if text := s.read(custom); !strings.Contains(text, "(shelf_items{") || strings.Contains(text, "visits_total") {
		t.Errorf("%s has to show the metrics that no other dashboard shows, and only these:\n%s", custom, text)
	}
	if text := s.read("observability/kustomization.yaml"); !strings.Contains(text, "shop-custom-dashboard") {
		t.Errorf("the cluster does not get %s:\n%s", custom, text)
	}
	s.edit("api/openapi.json", "\"paths\": {\n", "\"paths\": {\n    \"/v1/hello\": {\"get\": {\"responses\": {\"200\": {\"description\": \"Hello\"}}}},\n")
	s.check(cli.ExitDone)
	s.edit("internal/api/routes.go", "\trouter.Delete(\"/v1/shops/{id}\", httpserver.Handle(h.delete))\n", "")
	s.check(cli.ExitDrift, "DELETE /v1/shops/{id} is not a route of the service; add the route or remove the operation")

	s.edit("cmd/shop/main.go", "shelf_items", "shelf_books")
	if status, out, errs := s.scaffold("generate", s.dir); status != cli.ExitDone || !strings.Contains(out, custom) || strings.Contains(s.read(custom), "shelf_items") {
		t.Errorf("generate after a metric was renamed: status %d\n%s%s", status, out, errs)
	}
	s.edit("cmd/shop/main.go", `svc.Metrics().Gauge("shelf_books", "Items on a shelf.", "shelf")`, "error(nil), error(nil)")
	if status, out, errs := s.scaffold("generate", s.dir); status != cli.ExitDone || !strings.Contains(out, custom) {
		t.Errorf("generate after the last custom metric was removed: status %d\n%s%s", status, out, errs)
	}
	if _, err := os.Stat(filepath.Join(s.dir, custom)); !os.IsNotExist(err) {
		t.Errorf("%s is left (%v)", custom, err)
	}
}

func TestCheckReportsEachErrorAtItsPlace(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.edit("Dockerfile", "golang:1.26.8", "golang:1.26.7")
	s.write(".github/workflows/own.yaml", "jobs:\n  build:\n    steps:\n      - with:\n          go-version: \"1.22\"\n")
	s.edit("Makefile", "ACCESS_LOG=all", "ACESS_LOG=all")
	s.edit("cmd/shop/defaults.gen.go", "TraceRatio:    0.01", "TraceRatio:    1")
	s.write("observability/rules/own/visits.yaml", `groups:
- name: own
  rules:
  - alert: NoVisits
    expr: sum(rate(visits_total[5m])) == 0
`)
	s.write("observability/rules/own/unparsed.yaml", "groups: [{name: x, rules: [{record: a:b, expr: up == )}]}]\n")
	if status, _, errs := s.scaffold("generate", s.dir); status == cli.ExitDone || !strings.Contains(errs, "observability/rules/own/unparsed.yaml:1:") {
		t.Errorf("generate accepts rules that do not parse: status %d\n%s", status, errs)
	}
	s.write("observability/dashboards/own/broken.json", "{")
	s.write("observability/dashboards/own/uid.json", `{"uid":"shop-overview","panels":[]}`)
	s.check(cli.ExitDrift,
		"Dockerfile:2: builds with Go 1.26.7 but go.mod has 1.26.8; use the same version",
		".github/workflows/own.yaml:5: builds with Go 1.22 but go.mod has 1.26.8; use the same version",
		`unknown environment variable ACESS_LOG; did you mean "ACCESS_LOG"?`,
		"cmd/shop/defaults.gen.go",
		"observability/rules/own/visits.yaml:5:11: alert NoVisits: metric visits_total is not declared; declare it with svc.Metrics(), see A metric in README.md [unknown-metric]",
		"observability/rules/own/unparsed.yaml:1:",
		"observability/rules/own/visits.yaml:4: alert NoVisits: the alert has no annotations summary and description",
		"observability/dashboards/own/broken.json:1:2: not JSON: unexpected end of JSON input",
		"observability/dashboards/own/uid.json: observability/dashboards/shop-overview.json has the same uid shop-overview",
		"outside of this repository; a clone on another machine does not build. Remove /vendor/ from .gitignore and commit vendor/",
	)
}

// generate and check both report an error in the spec; generate writes the files anyway.
func TestGenerateReportsErrorsInTheSpec(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.edit("scaffold.yaml", "slos:\n", "slos:\n  - {name: routes, objective: 99, groupBy: [http_rout], indicator: {availability: {}}}\n"+
		"  - {name: good, objective: 99, indicator: {ratio: {total: http_server_requests_total, good: 'http_server_requests_total{outcome=\"success\"}'}}}\n")
	const want = `slos[0].groupBy[0]: "http_server_requests_total" has no label http_rout; did you mean "http_route"? [unknown-label]`
	status, out, errs := s.scaffold("generate", s.dir)
	if status != cli.ExitDrift || strings.Count(out, "[unknown-label]")+strings.Count(out, "[query-syntax]") != 1 || !strings.Contains(out, want) || !strings.Contains(out, "create   observability/runbooks/routes.md") {
		t.Errorf("generate: status %d, %s%s", status, out, errs)
	}
	if status, out, _ := s.scaffold("check", s.dir); status != cli.ExitDrift || strings.Count(out, "error   ") != 1 || !strings.Contains(out, want) {
		t.Errorf("check: status %d, %s", status, out)
	}
}

func TestCheckReportsBuildErrorsAndKeepsFiles(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.edit("internal/api/routes.go", "return router", "return rooter")
	s.check(cli.ExitDrift, "undefined: rooter")
	s.edit("scaffold.yaml", "owner: ", "owner: other-")
	status, out, errs := s.scaffold("generate", s.dir)
	if status != cli.ExitError || !strings.Contains(errs, "fix the service and run scaffold generate again") || !strings.Contains(out, "update   README.md") {
		t.Errorf("generate: status %d, %s%s", status, out, errs)
	}
}

// Rules and dashboards select by the name in scaffold.yaml.
func TestNameInTheCodeMustMatchTheSpec(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.edit("cmd/shop/main.go", `Name: "shop"`, `Name: "stock"`)
	s.check(cli.ExitDrift, `cmd/shop/main.go: Name in runtime.Info is "stock", but scaffold.yaml has the service "shop"`)
}

// overlay sets environment variables in an overlay: one literal a line, from line 8.
func (s shop) overlay(environment string, literals ...string) {
	s.t.Helper()
	s.write("deploy/overlays/"+environment+"/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../../base\n"+
		"configMapGenerator:\n  - name: shop-config\n    literals:\n      - "+strings.Join(literals, "\n      - ")+"\n")
}

// An environment variable without effect is reported.
func TestUnknownVariableInOverlayIsReported(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.overlay("prod", "LOG_LEVEL=debug", "OTEL_BLRP_SCHEDULE_DELAY=1", "OVERLOAD_MIN_LIMITT=3")
	s.check(cli.ExitDrift,
		`deploy/overlays/prod/kustomization.yaml:10:9: unknown environment variable OVERLOAD_MIN_LIMITT; did you mean "OVERLOAD_MIN_LIMIT"?`)
}

// Otherwise only the pods of a rollout would detect a value that the service rejects.
func TestInvalidValueInOverlayIsReported(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.overlay("dev", "LOG_LEVEL=debug", "HTTP_REQUEST_TIMEOUT=5s")
	s.overlay("prod", "LOG_LEVEL=loud", "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318")
	s.check(cli.ExitDrift,
		`deploy/overlays/prod/kustomization.yaml:8:9: LOG_LEVEL="loud": not a log level; write one (debug, info, warn or error)`,
		`deploy/overlays/prod/kustomization.yaml:9:9: OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318": not an absolute URL; write http://collector:4318`,
		"2 errors found")
	s.overlay("prod", "DRAIN_DELAY=10m")
	s.check(cli.ExitDrift, "deploy/overlays/prod/kustomization.yaml:8:9: DRAIN_DELAY=10m0s leaves no time for requests in flight")
	s.write("deploy/overlays/prod/kustomization.yaml", "resources: [../../base]\nconfigMapGenerator: [{name: shop-config, envs: [own.env]}]\n")
	s.write("deploy/overlays/prod/own.env", "# ours\nDRAIN_DELAY=5s \n") // Kustomize keeps the space
	s.check(cli.ExitDrift, `deploy/overlays/prod/own.env:2:1: DRAIN_DELAY="5s "`)
}
