package cli

import (
	"errors"
	"fmt"
	"io"
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

// writeStaged writes a file next to its place and moves it there, so that an error leaves the old file. Pipes,
// devices and links, such as /dev/stdout, stay what they are.
func writeStaged(name string, write func(io.Writer) error) (err error) {
	if isSpecial(name) {
		f, err := os.Create(name)
		if err != nil {
			return bare(err)
		}
		return errors.Join(write(f), f.Close())
	}
	staged := filepath.Join(filepath.Dir(name), stagedName(filepath.Base(name)))
	f, err := os.Create(staged)
	if err != nil {
		return bare(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(staged))
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(staged, name)
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
