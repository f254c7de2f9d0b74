package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writable returns why a file cannot be written, before a run that takes a minute.
func writable(name string) error {
	dir := filepath.Dir(name)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("directory %s does not exist", dir)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return errors.New("it is a directory; name a file")
	}
	if isSpecial(name) {
		return nil
	}
	f, err := os.CreateTemp(dir, ".scaffold-*")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("%w; name a file in a directory that you can write to", bare(err))
	}
	return nil
}

// isSpecial reports whether a file exists that is not a regular one.
func isSpecial(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && !info.Mode().IsRegular()
}

// bare returns an error without the name of a file that the user does not know.
func bare(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}
