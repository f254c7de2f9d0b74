package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
)

// writeDirectory writes the files below dir, which it creates. It stages all files before it
// moves the first one, so that a full disk leaves the old files.
func writeDirectory(ctx context.Context, dir string, files []slo.File) (err error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("-o: %s is a file; name a directory", filepath.ToSlash(dir))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return unwritable(dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var staged []string
	defer func() {
		for _, name := range staged { // already moved unless there was an error
			if removeErr := root.Remove(name); !errors.Is(removeErr, fs.ErrNotExist) {
				err = errors.Join(err, removeErr)
			}
		}
	}()
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped before %s: %w", f.Name, context.Cause(ctx))
		}
		data, err := keepBody(root, f)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(dir, filepath.FromSlash(f.Name)), err)
		}
		written := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
			return unwritable(filepath.Dir(written), err)
		}
		temporary := stagedName(f.Name)
		staged = append(staged, temporary)
		if err := writeSynced(root, temporary, data); err != nil {
			return unwritable(written, err)
		}
	}
	for i, f := range files {
		if err := root.Rename(staged[i], f.Name); err != nil {
			return unwritable(filepath.Join(dir, filepath.FromSlash(f.Name)), err)
		}
	}
	return nil
}

// unwritable is the error of a file or directory that is not written, without the name of the staged file.
func unwritable(name string, err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*os.LinkError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("%s is not written: %w; set -o to a directory that you can write to", filepath.ToSlash(name), err)
}

// stagedName returns a name that no other run has.
func stagedName(name string) string {
	return path.Join(path.Dir(name), "."+path.Base(name)+"."+rand.Text()+".new")
}

func writeSynced(root *os.Root, name string, data []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// keepBody updates only the generated part of an existing runbook; the rest is user-owned.
func keepBody(root *os.Root, f slo.File) ([]byte, error) {
	if !strings.HasPrefix(f.Name, runbookDirectory+"/") {
		return f.Data, nil
	}
	old, err := userfile.ReadFS(root.FS(), f.Name, userfile.Limit)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Data, nil
	}
	if err != nil {
		return nil, err
	}
	begin, end, err := templates.FindBlock(f.Data)
	if err != nil {
		return nil, err
	}
	oldBegin, oldEnd, err := templates.FindBlock(old)
	if err != nil {
		return nil, fmt.Errorf("%w; fix the markers or remove the file", err)
	}
	return slices.Concat(old[:oldBegin], bytes.TrimSpace(f.Data[begin:end]), old[oldEnd:]), nil
}
