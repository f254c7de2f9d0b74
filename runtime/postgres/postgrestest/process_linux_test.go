package postgrestest

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

// The kernel stops the server if the watcher is killed, too.
func TestServerStopsWithoutItsWatcher(t *testing.T) {
	t.Parallel()
	h := startHelper(t)
	t.Cleanup(func() { os.RemoveAll(h.dir) }) // the watcher would have removed it
	if err := syscall.Kill(h.watcher, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.crash(t)
	eventually(t, "the end of process "+strconv.Itoa(h.postmaster), func() bool { return gone(h.postmaster) })
}
