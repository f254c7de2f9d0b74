//go:build unix

package workspace

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A limit on file sizes makes the kernel reject a part of the last file, as with a full disk.
func TestFullDiskChangesNothing(t *testing.T) {
	t.Parallel()
	const variable = "WORKSPACE_TEST_FULL_DISK"
	if dir := os.Getenv(variable); dir != "" {
		fillDisk(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "orders")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was left behind: %v", err)
	}
}

func fillDisk(t *testing.T, dir string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	const limit = 8 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	w := open(t, dir)
	p, err := w.Plan(tree(t, file("generated", "a/b.go", "1"), file("merged", "c.go", "1"), file("user-owned", "d.go", strings.Repeat("x", 2*limit))))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "write d.go: ") {
		t.Errorf("got %v", err)
	}
}
