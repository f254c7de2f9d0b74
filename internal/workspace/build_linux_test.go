package workspace

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"
)

// The thread drops its capabilities, so that the kernel rejects writes of root, too.
func TestReadOnlyParentIsNamed(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for _, dir := range []string{filepath.Dir(parent), parent} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(parent, 0o755) })
	w := open(t, filepath.Join(parent, "orders"))
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		goruntime.LockOSThread() // never unlocked, so that the thread ends with this function
		if os.Geteuid() == 0 {
			const nobody = 65534
			if err := syscall.Setfsuid(nobody); err != nil {
				t.Error(err)
			}
		}
		result <- w.Apply(t.Context(), p)
	}()
	want := "create directory " + w.dir + ": permission denied; choose another --dir"
	if err := <-result; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("left %v (%v)", entries, err)
	}
}
