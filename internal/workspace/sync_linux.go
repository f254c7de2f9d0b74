package workspace

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem syncs the file system of an open file.
func syncFileSystem(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Syncfs(int(fd)) }); err != nil {
		return err
	}
	return os.NewSyscallError("syncfs", failed)
}
