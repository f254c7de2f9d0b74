//go:build linux || darwin

package workspace

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockDirectory takes the exclusive lock of an open directory, or returns errLocked. Other errors are
// those of file systems without locks.
func lockDirectory(dir *os.File) error {
	err := flock(dir, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return os.NewSyscallError("flock", err)
}

// unlockDirectory releases the lock. Closing the directory does so, too, but only once all processes that were just
// started have closed their copy of it.
func unlockDirectory(dir *os.File) error {
	return os.NewSyscallError("flock", flock(dir, unix.LOCK_UN))
}

func flock(dir *os.File, how int) error {
	raw, err := dir.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Flock(int(fd), how) })
	return errors.Join(err, failed)
}
