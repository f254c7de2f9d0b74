package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/observability-first/scaffold/slo"
)

func TestDirectoryGetsAllFilesOrNone(t *testing.T) {
	t.Parallel()
	files := []slo.File{{Name: "a.yaml", Data: []byte("new")}, {Name: "runbooks/A.md", Data: []byte("new")}}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("the user had enough"))
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		before func(dir string) error
		want   string
	}{
		{"canceled context", stopped, nil, "the user had enough"},
		{"directory at the path of a file", t.Context(), func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, "runbooks", "A.md"), 0o755)
		}, "is a directory"},
		{"file at the path of a directory", t.Context(), func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "runbooks"), nil, 0o644)
		}, "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if tt.before != nil {
				if err := tt.before(dir); err != nil {
					t.Fatal(err)
				}
			}
			err := writeDirectory(tt.ctx, dir, files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "a.yaml")); string(got) != "old" {
				t.Errorf("a.yaml now holds %q (%v)", got, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*.new")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// Runs at once do not use the same temporary file, and none writes to the file of another program.
func TestRunsAtOnceWriteToOneDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign := filepath.Join(dir, ".a.yaml.new")
	if err := os.WriteFile(foreign, []byte("foreign"), 0o600); err != nil {
		t.Fatal(err)
	}
	var runs sync.WaitGroup
	for i := range 8 {
		runs.Go(func() {
			for range 20 {
				if err := writeDirectory(t.Context(), dir, []slo.File{{Name: "a.yaml", Data: []byte{byte('0' + i)}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	if got, err := os.ReadFile(foreign); string(got) != "foreign" || err != nil {
		t.Errorf("the foreign file has %q, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 2 || err != nil {
		t.Errorf("got %v, %v", entries, err)
	}
}

func TestExampleObjectivesCompile(t *testing.T) {
	t.Parallel()
	u := newTerminal(nil)
	if code := Main(t.Context(), []string{"slo", "../../examples/slo/checkout.slo.yaml"}, u.Factory); code != ExitDone {
		t.Fatalf("exit code %d: %s", code, &u.err)
	}
	if !strings.Contains(u.out.String(), "- alert: CheckoutAvailabilityErrorBudgetBurn\n") || !strings.HasPrefix(u.err.String(), "checkout: 3 objectives, ") {
		t.Errorf("got\n%s\n%s", &u.out, &u.err)
	}
}
