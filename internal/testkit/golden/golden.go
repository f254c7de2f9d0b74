// Package golden compares output of tests with files.
//
// A golden file proves only that the output did not change. Test the important properties of the output,
// too.
package golden

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update is a flag, since Go developers expect `go test -update`.
var update = flag.Bool("update", false, "rewrite golden files with the output of the tests")

// Compare fails the test if got differs from the file. The path is relative to the package directory.
// With -update it writes the file.
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
	// A checkout on Windows may have changed line endings.
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		tb.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// Figure fails the test if a number in a document differs from the measured one. The first group of the
// pattern is the number, which may have commas. The tolerance is relative; 0 compares rounded numbers.
func Figure(tb testing.TB, path, pattern string, measured, tolerance float64) {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		tb.Fatalf("%s: no match for %s", path, pattern)
	}
	said := strings.ReplaceAll(string(found[1]), ",", "")
	number, err := strconv.ParseFloat(said, 64)
	if err != nil {
		tb.Fatalf("%s: %q: %v", path, found[0], err)
	}
	_, decimals, _ := strings.Cut(said, ".")
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(measured, 'f', len(decimals), 64), 64)
	if err != nil || math.IsNaN(rounded) || math.Abs(rounded-number) > tolerance*math.Abs(number) {
		tb.Errorf("%s says %q; measured %v", path, found[0], rounded)
	}
}

// Updating reports whether the run rewrites golden files.
func Updating() bool { return *update }
