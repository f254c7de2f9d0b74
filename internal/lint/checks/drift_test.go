package checks

import (
	"testing"

	"github.com/observability-first/scaffold/internal/workspace"
)

func TestAdviceForAnEditKeepsTheEdit(t *testing.T) {
	t.Parallel()
	const discards = "scaffold generate discards the edit: "
	for path, want := range map[string]string{
		"observability/alertmanager.yaml":        discards + "put it into scaffold.yaml first",
		"observability/rules/orders.yaml":        discards + "move it to a file in observability/rules/own first",
		"observability/dashboards/orders.json":   discards + "move it to a file in observability/dashboards/own first",
		"observability/runbooks/availability.md": discards + "move it to the notes of the team first",
		"deploy/kubernetes/base/deployment.yaml": discards + "put it into an overlay or into scaffold.yaml first",
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
