package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/report"
)

func TestVerifyReportsAMissingSnapshot(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		output   string
		snapshot *render.Snapshot
		want     string
	}{
		{"the run ended early", "", nil, " is not written: the run ended before the dashboard queries\n"},
		{"JSON output has no other text", "json", nil, ""},
		{"the service has no dashboards", "", &render.Snapshot{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newTerminal(nil)
			g := &globals{Factory: u.Factory, output: tc.output}
			o := verifyOptions{snapshot: filepath.Join(t.TempDir(), "verify.snapshot.json")}
			if err := o.write(g, report.Report{}, tc.snapshot, report.Page{}); err != nil {
				t.Fatal(err)
			}
			if tc.want != "" {
				tc.want = o.snapshot + tc.want
			}
			if got := u.err.String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if _, err := os.Stat(o.snapshot); (err == nil) != (tc.snapshot != nil) {
				t.Errorf("got %v", err)
			}
		})
	}
}
