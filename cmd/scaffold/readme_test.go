package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each change that the README shows applies to a new service, which then builds, passes its
// tests and has no errors.
func TestEndToEndChangesOfTheReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a service")
	}
	t.Parallel()
	const longest = 10
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	changes := regexp.MustCompile("(?s)```diff\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(changes) < 4 {
		t.Fatalf("the README shows %d changes", len(changes))
	}
	parent, bin := t.TempDir(), built(t)
	orders := filepath.Join(parent, "orders")
	run(t, parent, bin, "new", "orders", "--with", "postgres")
	patch := filepath.Join(parent, "change.patch")
	for _, change := range changes {
		if added := strings.Count(change[1], "\n+") - strings.Count(change[1], "\n+++"); added > longest {
			t.Errorf("%d lines are added, more than %d:\n%s", added, longest, change[1])
		}
		if err := os.WriteFile(patch, []byte(change[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, orders, "git", "apply", patch)
		run(t, orders, bin, "generate")
		if out := run(t, orders, bin, "check"); !strings.HasSuffix(out, "orders: no errors\n") {
			t.Errorf("after this change there are errors:\n%s\n%s", change[1], out)
		}
	}
	run(t, orders, "go", "test", "./...")
}
