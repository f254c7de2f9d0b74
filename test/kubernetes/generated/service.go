// Package generated generates services with the scaffold command of this
// checkout, with all options that change manifests.
package generated

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// Service is a generated service.
type Service struct {
	Name string // of the test case
	Dir  string
	Spec Spec
}

// Environments returns the overlays of a service.
func Environments() []string { return []string{"dev", "staging", "prod"} }

// factor is a key of the spec with the values to test.
type factor struct {
	name   string
	levels []string
}

func factors() []factor {
	return []factor{
		{"components", []string{
			"components: {}", // below, there are enough connections for 200 replicas and the surge of a rollout
			"components: {postgres: {connections: 300}, httpclient: {upstreams: [{name: stock, url: 'http://stock:8080/v1'}, {name: payments, url: 'https://payments.acme.test'}]}}",
		}},
		{"source", []string{"autoscale: {source: cpu, cpu: 60}", "autoscale: {source: adapter, inFlight: 8}", `autoscale: {source: keda, prometheus: "http://prometheus.observed:9090/a?b=c"}`}},
		{"gateway", []string{"gateway: {}", "gateway: {host: orders.acme.test, name: public, namespace: edge}"}},
		{"metrics", []string{"metrics: scrape", "metrics: push"}},
		{"histograms", []string{"histograms: classic", "histograms: both", "histograms: native"}},
		{"replicas", []string{"replicas: {}", "replicas: {min: 1, max: 1}", "replicas: {min: 2, max: 200}"}},
		{"resources", []string{"resources: {}", "resources: {cpu: 1.5, memory: 1Gi}"}},
		{"grace", []string{"grace: {}", "grace: {period: 3m, preStop: 15s, drain: 1m30s, stop: 0s, margin: 0s}"}},
		{"monitoring", []string{"monitoring: {}", `monitoring: {namespace: observed, labels: {release: stack, team.acme.test/watch: "yes"}}`}},
		{"interval", []string{"scrapeInterval: 15s", "scrapeInterval: 1m"}},
		{"selector", []string{"selector: {}", `selector: {job: "shop/$1 orders", cluster: 'a"b'}, environmentLabel: env`}},
		{"image", []string{"image: tried", `image: "registry.acme.test:5000/shop/tried"`}},
		{"ports", []string{`http: {port: 8080}`, `{http: {port: 80}, admin: {addr: ":9999"}}`}},
		{"name", []string{
			"service: tried\nalerting: {receivers: {page: webhook}}", // that of tickets is a placeholder
			"service: the-orders-of-a-shop-with-a-name-so-long\nalerting: {receivers: {page: pagerduty, ticket: slack}}",
		}},
	}
}

// rows returns combinations that contain every pair of levels: most bugs need
// at most two options.
func rows() [][]int {
	return [][]int{
		{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		{0, 2, 0, 1, 2, 2, 0, 1, 0, 1, 0, 1, 0, 1},
		{1, 0, 1, 0, 2, 1, 1, 0, 1, 0, 1, 0, 1, 0},
		{1, 1, 0, 0, 1, 2, 0, 0, 0, 0, 1, 1, 0, 0},
		{1, 2, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1},
		{1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0},
		{0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1},
		{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1},
		{0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0},
		{0, 2, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0},
		{0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0},
		{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		{0, 0, 0, 0, 0, 2, 1, 0, 1, 0, 0, 0, 0, 0},
		{0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0},
		{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0},
	}
}

// text returns the spec of one row.
func text(row []int) string {
	level := map[string]string{}
	for i, f := range factors() {
		level[f.name] = f.levels[row[i]]
	}
	latency := "\n  - {name: latency, objective: 99, window: 30d, indicator: {latency: {threshold: 200ms}}}"
	if level["histograms"] == "histograms: native" {
		latency = "" // a latency objective needs the buckets of classic histograms
	}
	ports := strings.NewReplacer("{http: {port: 80}, ", "http: {port: 80}\n", "}}", "}").Replace(level["ports"])
	return fmt.Sprintf(`apiVersion: scaffold/v1
%s
owner: team-a
module: example.com/tried
resource: order
%s
%s
telemetry: {%s, %s, %s, %s}
deploy:
  %s
slos:
  - {name: availability, objective: 99.9, window: 30d, indicator: {availability: {}}}%s
`, level["name"], level["components"], ports, level["metrics"], level["histograms"], level["interval"], level["selector"],
		strings.Join([]string{level["source"], level["gateway"], level["replicas"], level["resources"], level["grace"], level["monitoring"], level["image"]}, "\n  "), latency)
}

// checkout finds the root of the repository above the working directory.
func checkout() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "cmd", "scaffold")); missing == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("the test does not run in a checkout of scaffold")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// Checkout returns the root of the repository.
func Checkout(tb testing.TB) string {
	tb.Helper()
	root, err := checkout()
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

// Command builds scaffold from this checkout and returns its path.
func Command(tb testing.TB) string {
	tb.Helper()
	scaffold := filepath.Join(tb.TempDir(), "scaffold")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", scaffold, "./cmd/scaffold")
	build.Dir = Checkout(tb)
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return scaffold
}

// Services generates a service for each row, and adds the examples of the
// repository.
func Services(tb testing.TB) []Service {
	tb.Helper()
	root := Checkout(tb)
	scaffold := Command(tb)
	services := examples(tb, root)
	var group errgroup.Group
	for i, row := range rows() {
		s := Service{Name: fmt.Sprintf("row %d", i), Dir: tb.TempDir()}
		services = append(services, s)
		group.Go(func() error {
			if err := os.WriteFile(filepath.Join(s.Dir, "scaffold.yaml"), []byte(text(row)), 0o644); err != nil {
				return err
			}
			if err := own(s.Dir, i); err != nil {
				return err
			}
			generate := exec.CommandContext(tb.Context(), scaffold, "generate", s.Dir, "--runtime", filepath.Join(root, "runtime"))
			if out, err := generate.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s\n%s", s.Name, err, out, text(row))
			}
			return nil
		})
	}
	err := group.Wait()
	for i := range services {
		spec, specErr := readSpec(services[i].Dir)
		services[i].Spec, err = spec, errors.Join(err, specErr)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return services
}

// own writes a dashboard and rules of the user into every second service.
func own(dir string, row int) error {
	if row%2 == 0 {
		return nil
	}
	for file, text := range map[string]string{
		"observability/dashboards/own/Shipping list.json": `{"uid":"shipping","panels":[]}`,
		"observability/rules/own/shipping.yaml":           "groups:\n- name: shipping\n  rules:\n  # Why it exists.\n  - {alert: Down, expr: up == 0, for: 5m, annotations: {summary: Down.}}\n",
	} {
		name := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func examples(tb testing.TB, root string) []Service {
	tb.Helper()
	specs, err := filepath.Glob(filepath.Join(root, "examples", "*", "scaffold.yaml"))
	if err != nil || len(specs) == 0 {
		tb.Fatalf("no examples: %v", err)
	}
	var whole, rendered []Service // mutants break the first service, which must have no unusual options
	for _, path := range specs {
		dir := filepath.Dir(path)
		s := Service{Name: "example " + filepath.Base(dir), Dir: dir}
		if _, err := os.Stat(filepath.Join(dir, "digests.txt")); err != nil {
			whole = append(whole, s)
			continue
		}
		s.Dir = filepath.Join(root, "examples", "rendered", filepath.Base(dir))
		rendered = append(rendered, s)
	}
	return append(whole, rendered...)
}
