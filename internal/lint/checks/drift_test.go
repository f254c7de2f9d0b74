package checks

import (
	"testing"

	"github.com/observability-first/scaffold/internal/workspace"
)

func TestAdviceForAnEditKeepsTheEdit(t *testing.T) {
	t.Parallel()
	const force = ", then run scaffold generate --force"
	for path, want := range map[string]string{
		"observability/alertmanager.yaml":        "put the edit into scaffold.yaml" + force,
		"observability/rules/orders.yaml":        "move the edit to a file in observability/rules/own" + force,
		"observability/dashboards/orders.json":   "move the edit to a file in observability/dashboards/own" + force,
		"observability/runbooks/availability.md": "move the edit to the notes of the team" + force,
		"deploy/kubernetes/base/deployment.yaml": "put the edit into an overlay or into scaffold.yaml" + force,
		workspace.DefaultState + "/base.txtar":   "run scaffold generate",
	} {
		if got := driftAdvice(workspace.Drift{Path: path, Discards: true}); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if got := driftAdvice(workspace.Drift{Path: "observability/alertmanager.yaml"}); got != "run scaffold generate" {
		t.Errorf("an outdated file: got %q", got)
	}
}
