package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Fresh returns an error if a new service cannot be created in the directory. The directory must be
// missing, empty, or have only files of a new repository (.git, .gitignore, a README, a license). It
// returns no error if a run was killed there, since [Open] recovers from that: call Fresh again after it.
func Fresh(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return parentFresh(dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file; choose another --dir", dir)
	}
	if state, err := os.ReadDir(filepath.Join(dir, DefaultState)); err == nil && (len(state) == 0 || slices.ContainsFunc(state, isJournal)) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, beginsARepository)
	if len(entries) == 0 {
		return nil
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "scaffold.yaml" }) {
		return fmt.Errorf("%s already has a service; run scaffold generate in it, or choose another --dir", describe(dir))
	}
	more := ""
	if len(entries) > 1 {
		more = " and " + count(len(entries)-1, "more file")
	}
	return fmt.Errorf("%s is not empty: it has %s%s; choose another --dir", describe(dir), entries[0].Name(), more)
}

// parentFresh returns an error if the parent of a missing directory is a file.
func parentFresh(dir string, err error) error {
	parent := filepath.Dir(dir)
	if info, parentErr := os.Stat(parent); parentErr == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, so %s cannot be created; choose another --dir", parent, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func beginsARepository(e fs.DirEntry) bool {
	name := strings.ToUpper(e.Name())
	if e.Name() == ".git" {
		return true
	}
	return e.Type().IsRegular() &&
		(e.Name() == ".gitignore" || strings.HasPrefix(name, "README") || strings.HasPrefix(name, "LICENSE"))
}

func isJournal(e fs.DirEntry) bool {
	return slices.Contains(journalNames(), e.Name())
}

func describe(dir string) string {
	if filepath.Clean(dir) == "." {
		return "this directory"
	}
	return dir
}
