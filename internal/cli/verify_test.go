package cli

import (
	"errors"
	"io"
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

// An error leaves the file of the run before, and no staged one.
func TestReportFilesAreStaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "verify.html")
	write := func(text string, err error) error {
		return writeStaged(name, func(w io.Writer) error {
			_, writeErr := io.WriteString(w, text)
			return errors.Join(writeErr, err)
		})
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	if err := write("second", errors.New("the disk is full")); err == nil {
		t.Error("no error")
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "first" {
		t.Errorf("got %q, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
}

// A link such as /dev/stdout stays a link.
func TestReportsAreWrittenThroughLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Skip(err)
	}
	err := writeStaged(link, func(w io.Writer) error {
		_, err := io.WriteString(w, "report")
		return err
	})
	if got, readErr := os.ReadFile(target); err != nil || readErr != nil || string(got) != "report" {
		t.Errorf("got %q, %v, %v", got, readErr, err)
	}
}
