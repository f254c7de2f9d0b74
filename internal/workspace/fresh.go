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

// Fresh says why no new service can be written into the folder, or returns nil:
// the folder does not exist, is empty, or holds only what a new repository
// begins with (.git, .gitignore, a README, a licence).
func Fresh(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return parentFresh(dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file; choose another --dir", dir)
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
		return fmt.Errorf("%s holds a service already; run scaffold generate in it, or choose another --dir", describe(dir))
	}
	more := ""
	if len(entries) > 1 {
		more = " and " + count(len(entries)-1, "more file")
	}
	return fmt.Errorf("%s is not empty: it holds %s%s; choose another --dir", describe(dir), entries[0].Name(), more)
}

// parentFresh looks above a folder that is not there: a file there is in the way.
func parentFresh(dir string, err error) error {
	parent := filepath.Dir(dir)
	if info, parentErr := os.Stat(parent); parentErr == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, so there is no place for %s; choose another --dir", parent, dir)
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

func describe(dir string) string {
	if filepath.Clean(dir) == "." {
		return "this directory"
	}
	return dir
}
