package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/templates"
)

// renderOptions says where a service in dir finds the runtime. A released
// scaffold requires it by version. One from a checkout replaces it by a folder:
// the one that the flag names, the one that the service's go.mod names already,
// or the one found upward from the working directory.
func (f Factory) renderOptions(dir, flag string) (templates.RenderOptions, error) {
	o := templates.RenderOptions{Generator: f.Build.Version, RuntimeImport: runtimeImport()}
	if f.Build.Released && flag == "" {
		o.RuntimeVersion, o.RuntimeSum = cmp.Or(f.Build.RuntimeVersion, f.Build.Version), f.Build.RuntimeSum
		return o, nil
	}
	var err error
	o.RuntimeReplace, err = runtimeFolder(dir, flag)
	return o, err
}

func runtimeFolder(dir, flag string) (string, error) {
	if flag != "" {
		if !holdsRuntime(flag) {
			return "", fmt.Errorf("--runtime: %s is not the folder of module %s", flag, runtimeImport())
		}
		return relative(dir, flag)
	}
	replaced, err := replacedRuntime(dir)
	if err != nil || replaced != "" {
		return replaced, err
	}
	at, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	for {
		for _, candidate := range []string{at, filepath.Join(at, "runtime")} {
			if holdsRuntime(candidate) {
				return relative(dir, candidate)
			}
		}
		if at == filepath.Dir(at) {
			return "", errors.New("this scaffold was built in a checkout, and its runtime is in no folder above this one; " +
				"name the checkout's folder runtime with --runtime DIR")
		}
		at = filepath.Dir(at)
	}
}

// holdsRuntime says whether the folder is that of the runtime module.
func holdsRuntime(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && modfile.ModulePath(data) == runtimeImport()
}

// replacedRuntime is the folder that the service's own go.mod replaces the
// runtime by, or "".
func replacedRuntime(dir string) (string, error) {
	name := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		return "", err
	}
	for _, r := range file.Replace {
		if r.Old.Path == runtimeImport() && r.New.Version == "" {
			return r.New.Path, nil
		}
	}
	return "", nil
}

// relative is the way from one folder to another, with forward slashes and as
// go.mod wants it; absolute where there is none, as between two drives.
func relative(from, to string) (string, error) {
	way, err := filepath.Rel(resolved(from), resolved(to))
	if err != nil {
		way = resolved(to)
	}
	way = filepath.ToSlash(way)
	if !filepath.IsAbs(way) && way[0] != '.' {
		way = "./" + way
	}
	return way, nil
}
