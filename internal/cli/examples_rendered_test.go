package cli_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// digestsFile has a line for each file of an example, in the format of sha256sum. An example with
// such a file is committed without its generated files.
const digestsFile = "digests.txt"

// writeRendered is set by make rendered, for tests and linters of the examples.
var writeRendered = flag.Bool("rendered", false, "write examples/rendered, and leave the digests as they are")

// testDigests renders the example and compares it with its digests.
func testDigests(t *testing.T, name string) {
	t.Helper()
	fresh := renderExample(t, name)
	got := digests(tree(t, fresh))
	list := filepath.Join(examplesDir, name, digestsFile)
	if golden.Updating() || *writeRendered {
		replaceRendered(t, name, fresh, got)
	}
	if golden.Updating() {
		if err := os.WriteFile(list, []byte(formatDigests(got)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if changes := changedDigests(readDigests(t, list), got); len(changes) > 0 {
		t.Errorf("examples/%[1]s is not what scaffold generates:\n%[2]s\nrun make examples, and read what changed: diff -r examples/rendered/.before-%[1]s examples/rendered/%[1]s",
			name, strings.Join(changes, "\n"))
	}
}

// renderExample generates the service from its spec and its hand-written files. The directory is as deep
// as examples/rendered/NAME, so that relative paths are the same.
func renderExample(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(hiddenDir(t), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(examplesDir, name))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, digestsFile)); err != nil {
		t.Fatal(err)
	}
	written := tree(t, dir)
	scaffold(t, []string{"generate", dir, "--runtime", "../../runtime"})
	for path, text := range tree(t, dir) {
		if before, ok := written[path]; ok && before != text {
			t.Errorf("examples/%s/%s: scaffold generate changed this hand-written file", name, path)
		}
	}
	return dir
}

// replaceRendered moves fresh to examples/rendered, unless that has the same files. What was there
// before stays beside it, hidden, to be compared.
func replaceRendered(t *testing.T, name, fresh string, sums map[string]string) {
	t.Helper()
	rendered := filepath.Join(examplesDir, "rendered", name)
	before := filepath.Join(examplesDir, "rendered", ".before-"+name)
	if _, err := os.Stat(rendered); err == nil {
		if maps.Equal(digests(tree(t, rendered)), sums) {
			return
		}
		if err := errors.Join(os.RemoveAll(before), os.Rename(rendered, before)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(rendered), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, rendered); err != nil {
		t.Fatal(err)
	}
}

// digests returns the digest of each file, by path.
func digests(files map[string]string) map[string]string {
	out := map[string]string{}
	for path, text := range files {
		out[path] = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	return out
}

func formatDigests(sums map[string]string) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s  %s\n", sums[path], path)
	}
	return b.String()
}

func readDigests(t *testing.T, list string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		sum, path, ok := strings.Cut(strings.TrimSuffix(line, "\r"), "  ")
		if !ok && line != "" { // the list of a new example is empty
			t.Fatalf("%s:%d: not a line of sha256sum; run make examples", list, n+1)
		}
		if ok {
			sums[path] = sum
		}
	}
	return sums
}

// changedDigests returns a line for each file that differs, is new or is missing.
func changedDigests(want, got map[string]string) []string {
	var changes []string
	for path, sum := range got {
		switch before, ok := want[path]; {
		case !ok:
			changes = append(changes, "  new      "+path)
		case before != sum:
			changes = append(changes, "  differs  "+path)
		}
	}
	for path := range want {
		if _, ok := got[path]; !ok {
			changes = append(changes, "  missing  "+path)
		}
	}
	slices.Sort(changes)
	return changes
}

func TestChangedDigests(t *testing.T) {
	t.Parallel()
	was := digests(map[string]string{"a": "1", "b": "1", "c": "1"})
	got := changedDigests(was, digests(map[string]string{"b": "2", "c": "1", "d": "1"}))
	if want := []string{"  differs  b", "  missing  a", "  new      d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	list := filepath.Join(t.TempDir(), digestsFile)
	for _, lineEnd := range []string{"\n", "\r\n"} {
		text := strings.ReplaceAll(formatDigests(was), "\n", lineEnd)
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if read := readDigests(t, list); !maps.Equal(read, was) {
			t.Errorf("lines that end in %q: got %v, want %v", lineEnd, read, was)
		}
	}
}
