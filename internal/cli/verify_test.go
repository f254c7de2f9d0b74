package cli

import (
	"errors"
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
			if err := o.write(t.Context(), g, report.Report{}, tc.snapshot, report.Page{}); err != nil {
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

// A report that cannot be written must not change the file of the run before.
func TestVerifyWritesAFileCompletelyOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "verify.xml"), filepath.Join(dir, "link.xml")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink("verify.xml", link)); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(t.Context(), link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); string(got) != "new" || err != nil {
		t.Errorf("the target of the link has %q, %v", got, err)
	}
	if err := writeWhole(t.Context(), os.DevNull, []byte("new")); err != nil {
		t.Errorf("a device: %v", err)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 2 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
