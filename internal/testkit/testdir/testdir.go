// Package testdir creates directories with files for tests.
package testdir

import (
	"os"
	"path/filepath"
	"testing"
)

// New returns a directory with the files, which is removed after the test. Names are relative, with
// forward slashes.
func New(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
