//go:build linux || darwin

package workspace

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockDirectory takes the exclusive lock of an open directory, or returns errLocked. Other errors are
// those of file systems without locks. Closing the directory releases the lock.
func lockDirectory(dir *os.File) error {
	raw, err := dir.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) }); err != nil {
		return err
	}
	if errors.Is(failed, unix.EWOULDBLOCK) {
		return errLocked
	}
	return os.NewSyscallError("flock", failed)
}
