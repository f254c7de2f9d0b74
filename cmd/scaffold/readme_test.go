package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each command in the section "Change it" of the README applies to a new service, which then builds, passes its tests and has
// no errors.
func TestEndToEndChangesOfTheReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a service")
	}
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)## Change it.*?```console\n(.*?)```").FindSubmatch(readme)
	if blocks == nil || strings.Count(string(blocks[1]), "\n") < 6 {
		t.Fatal("the section of the README has no commands")
	}
	parent, bin := t.TempDir(), built(t)
	orders := filepath.Join(parent, "orders")
	run(t, parent, bin, "new", "orders", "--with", "postgres")
	for line := range strings.Lines(string(blocks[1])) {
		command, found := strings.CutPrefix(strings.TrimSpace(line), "$ scaffold ")
		if !found {
			t.Fatalf("%q is no command of scaffold", line)
		}
		run(t, orders, "bash", "-c", bin+" "+command)
		if out := run(t, orders, bin, "check"); !strings.Contains(out, ": no errors\n") {
			t.Errorf("after scaffold %s there are errors:\n%s", command, out)
		}
	}
	run(t, orders, "go", "vet", "./...")
	run(t, orders, "go", "test", "./...")
}
