package postgrestest

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

// The second net: the kernel's signal, when the watcher is gone as well.
func TestAServerDoesNotOutliveBothOfItsKeepers(t *testing.T) {
	t.Parallel()
	h := startHelper(t)
	t.Cleanup(func() { os.RemoveAll(h.dir) }) // what the watcher would have removed
	if err := syscall.Kill(h.watcher, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.crash(t)
	eventually(t, "the end of process "+strconv.Itoa(h.postmaster), func() bool { return gone(h.postmaster) })
}
