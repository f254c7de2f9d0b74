package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/observability-first/scaffold/test/kubernetes/generated"
)

// scoreVersion is the release of kube-score. It is built outside this module:
// it needs types that Kubernetes has removed.
const scoreVersion = "v1.20.0"

func buildScore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "install", "github.com/zegl/kube-score/cmd/kube-score@"+scoreVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "kube-score")
}

// checkScore compares the findings of kube-score for production with the reasons in
// docs/deploy.md. Both must have the same checks.
func checkScore(t *testing.T, score string, s generated.Service) {
	t.Helper()
	for _, problem := range undocumented(findings(t, score, s), exceptions(t, s)) {
		t.Error(problem)
	}
}

// undocumented compares findings with the documented reasons. A reason has at
// least 30 characters.
func undocumented(found map[string][]string, reasons map[string]string) (problems []string) {
	if len(found) == 0 {
		problems = append(problems, "kube-score reported no findings, not even container-resources for the missing CPU limit")
	}
	for _, check := range slices.Sorted(maps.Keys(found)) {
		if len(reasons[check]) < 30 {
			problems = append(problems, fmt.Sprintf("docs/deploy.md: add a reason of at least 30 characters for %s, found in %q", check, found[check]))
		}
	}
	for _, check := range slices.Sorted(maps.Keys(reasons)) {
		if _, still := found[check]; !still {
			problems = append(problems, fmt.Sprintf("docs/deploy.md: remove the reason for %s, which kube-score does not report", check))
		}
	}
	return problems
}

func TestUndocumentedFindings(t *testing.T) {
	t.Parallel()
	long := "a reason with more than thirty characters"
	got := undocumented(map[string][]string{"a": {"x"}, "b": {"x"}, "c": {"x"}}, map[string]string{"a": long, "b": "no", "d": long})
	want := []string{
		`docs/deploy.md: add a reason of at least 30 characters for b, found in ["x"]`,
		`docs/deploy.md: add a reason of at least 30 characters for c, found in ["x"]`,
		"docs/deploy.md: remove the reason for d, which kube-score does not report",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if undocumented(nil, nil) == nil {
		t.Error("no findings: passed, want a problem")
	}
}

// findings returns the failed checks of the production overlay, with the names of the
// objects.
func findings(t *testing.T, score string, s generated.Service) map[string][]string {
	t.Helper()
	var documents bytes.Buffer
	for _, o := range build(t, filepath.Join(s.Dir, "deploy", "overlays", "prod")) {
		data, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		documents.WriteString("---\n" + string(data))
	}
	cmd := exec.CommandContext(t.Context(), score, "score", "--kubernetes-version", "v1.37", "--output-format", "json", "-")
	cmd.Stdin = &documents
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // the exit code is not 0 if it finds something
	var objects []struct {
		Name   string `json:"object_name"`
		Checks []struct {
			Check struct {
				ID string `json:"id"`
			} `json:"check"`
			Grade   int  `json:"grade"`
			Skipped bool `json:"skipped"`
		} `json:"checks"`
	}
	if err := json.Unmarshal(out, &objects); err != nil {
		t.Fatalf("kube-score: %v\n%s%s", err, out, &stderr)
	}
	const passed = 10
	found := map[string][]string{}
	for _, o := range objects {
		for _, c := range o.Checks {
			if !c.Skipped && c.Grade < passed {
				found[c.Check.ID] = append(found[c.Check.ID], o.Name)
			}
		}
	}
	return found
}

// exception is a row of the table: check, services, reason.
var exception = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (.+) \\| (.+) \\|$")

// exceptions returns the reasons that apply to a service, by check.
func exceptions(t *testing.T, s generated.Service) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(generated.Checkout(t), "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Findings of kube-score\n")
	section, _, _ = strings.Cut(section, "\n## ")
	keda := s.Spec.Deploy.Autoscale.Source == "keda"
	applies := map[string]bool{
		"all": true, "`autoscale.source: keda`": keda,
		"`replicas.min: 1` without KEDA": s.Spec.Deploy.Replicas.Min == 1 && !keda,
	}
	reasons := map[string]string{}
	for _, row := range exception.FindAllStringSubmatch(section, -1) {
		in, known := applies[row[2]]
		if !known {
			t.Errorf("docs/deploy.md: unknown services %q for %s; add them to applies in this test", row[2], row[1])
		}
		if in {
			reasons[row[1]] = row[3]
		}
	}
	return reasons
}
