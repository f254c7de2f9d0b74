// Package golden compares output with a checked-in file. Test help only.
//
// A golden file alone proves that nothing changed, not that it is right: put a
// rule that must hold beside each use.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update is a flag rather than a variable of the environment so that
// `go test -update` works the way Go developers expect.
var update = flag.Bool("update", false, "rewrite the golden files with what the tests got")

// Compare fails the test when got differs from the file at path, below the
// package's folder. With -update it writes the file instead.
func Compare(tb testing.TB, path string, got []byte) {
	tb.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			tb.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("%v; run the test with -update to write it", err)
	}
	// A checkout on Windows may have turned line endings.
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		tb.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// Updating says whether the run rewrites golden files.
func Updating() bool { return *update }
