package backends

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func rendersFromMimir(t *testing.T, p programs) {
	t.Helper()
	url := start(t, p.mimir, "").url
	renders(t, p.scaffold, url+"/prometheus", url+"/otlp/v1/metrics")
}

func rendersFromPrometheus(t *testing.T, p programs) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	url := run(t, p.prometheus, "--config.file="+none, "--web.listen-address=127.0.0.1:0", "--web.enable-otlp-receiver")
	renders(t, p.scaffold, url, url+"/api/v1/otlp/v1/metrics")
}

// Thanos receives the sample in one process and answers queries in another.
func rendersFromThanos(t *testing.T, p programs) {
	t.Helper()
	loopback := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	write, store := loopback(freePort(t)), loopback(freePort(t))
	run(t, p.thanos, "receive", `--label=replica="a"`, "--remote-write.address="+write, "--grpc-address="+store, "--http-address=127.0.0.1:0")
	url := run(t, p.thanos, "query", "--endpoint="+store, "--grpc-address=127.0.0.1:0", "--http-address=127.0.0.1:0")
	renders(t, p.scaffold, url, "http://"+write+"/api/v1/otlp")
}

// renders writes a sample, and draws it and all dashboards of examples/orders. The
// backend answers all of their queries.
func renders(t *testing.T, bin, source, otlp string) {
	t.Helper()
	eventually(t, "the sample can be queried", func() string {
		if problem := write(t, otlp, "queue_depth", 42); problem != "" {
			return problem
		}
		_, body, err := get(t.Context(), source+"/api/v1/query?query=queue_depth")
		if err != nil || !strings.Contains(string(body), `"42"`) {
			return fmt.Sprintf("%s %v", body, err)
		}
		return ""
	})
	dir := t.TempDir()
	depth := filepath.Join(dir, "depth.json")
	const panel = `{"title":"Depth","panels":[{"type":"stat","title":"Queue","gridPos":{"w":6,"h":4},"targets":[{"refId":"A","expr":"queue_depth","instant":true}]}]}`
	if err := os.WriteFile(depth, []byte(panel), 0o600); err != nil {
		t.Fatal(err)
	}
	examples := filepath.Join("..", "..", "examples", "orders", "observability", "dashboards")
	generated, err := filepath.Glob(filepath.Join(examples, "*.json"))
	if err != nil || len(generated) == 0 {
		t.Fatalf("%v, %v", generated, err)
	}
	all := render(t, bin, source, dir, depth, examples)
	if len(all) != len(generated)+1 {
		t.Errorf("%d dashboards are drawn, want %d", len(all), len(generated)+1)
	}
	for file, problems := range all {
		for _, problem := range problems {
			if !strings.Contains(problem, "set --loki") && !strings.Contains(problem, "set --tempo") && !strings.Contains(problem, "set --pyroscope") {
				t.Errorf("%s: %s", file, problem)
			}
		}
	}
	picture, err := os.ReadFile(filepath.Join(dir, "depth.svg"))
	if err != nil || !strings.Contains(string(picture), ">42<") {
		t.Errorf("%v, the picture has no value:\n%s", err, picture)
	}
}

// write stores one sample of a gauge by OTLP, which needs no library. It returns the problem, or "".
func write(t *testing.T, url, name string, value int) (problem string) {
	t.Helper()
	body := fmt.Sprintf(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":%q,"gauge":{"dataPoints":[{"timeUnixNano":"%d","asInt":"%d"}]}}]}]}]}`, name, time.Now().UnixNano(), value)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return "the sample is rejected: " + response.Status
	}
	return ""
}

// render draws the dashboards and returns the problems of each file.
func render(t *testing.T, bin, source, out string, paths ...string) map[string][]string {
	t.Helper()
	args := append([]string{"dashboards", "render", "--source", source, "-o", out, "--output", "json"}, paths...)
	stdout, err := exec.CommandContext(t.Context(), bin, args...).Output()
	var document struct {
		Dashboards []struct {
			File     string   `json:"file"`
			Problems []string `json:"problems"`
		} `json:"dashboards"`
	}
	if jsonErr := json.Unmarshal(stdout, &document); jsonErr != nil || err != nil {
		t.Fatalf("%v, %v\n%s", err, jsonErr, stdout)
	}
	problems := map[string][]string{}
	for _, d := range document.Dashboards {
		problems[d.File] = d.Problems
	}
	return problems
}
