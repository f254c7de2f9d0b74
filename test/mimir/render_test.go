package mimir

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

// Mimir answers the queries of all dashboards, and a picture has its value.
func rendersDashboards(t *testing.T, p programs) {
	t.Helper()
	s := start(t, p.mimir, "")
	s.write(t, "queue_depth", 42)
	eventually(t, "the sample can be queried", func() string {
		_, body, err := get(t.Context(), s.url+"/prometheus/api/v1/query?query=queue_depth")
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
	for file, problems := range render(t, p.scaffold, s, dir, depth, filepath.Join("..", "..", "examples", "orders", "observability", "dashboards")) {
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

// write stores one sample of a gauge by OTLP, which needs no library.
func (s server) write(t *testing.T, name string, value int) {
	t.Helper()
	body := fmt.Sprintf(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":%q,"gauge":{"dataPoints":[{"timeUnixNano":"%d","asInt":"%d"}]}}]}]}]}`, name, time.Now().UnixNano(), value)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/otlp/v1/metrics", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("Mimir rejects the sample: %s", response.Status)
	}
}

// render draws the dashboards and returns the problems of each file.
func render(t *testing.T, bin string, s server, out string, paths ...string) map[string][]string {
	t.Helper()
	args := append([]string{"dashboards", "render", "--source", s.url + "/prometheus", "-o", out, "--output", "json"}, paths...)
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
	if len(problems) < len(paths) {
		t.Fatalf("%d dashboards are drawn of %v", len(problems), paths)
	}
	return problems
}
