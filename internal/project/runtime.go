package project

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// renderOptions locates the runtime for a service in dir. A released scaffold requires it by
// version. A scaffold from a checkout replaces it by a directory: the one in the flag, else the
// one in the service's go.mod, else the one found upward from the working directory, else that
// of the checkout that scaffold was built in.
func (g Generator) renderOptions(dir, flag string) (templates.RenderOptions, error) {
	o := templates.RenderOptions{Generator: g.Build.Version, RuntimeImport: RuntimeImport()}
	if g.Build.Released && flag == "" {
		o.RuntimeVersion, o.RuntimeSum = cmp.Or(g.Build.RuntimeVersion, g.Build.Version), g.Build.RuntimeSum
		return o, nil
	}
	var err error
	o.RuntimeReplace, err = g.runtimeDirectory(dir, flag)
	return o, err
}

func (g Generator) runtimeDirectory(dir, flag string) (string, error) {
	if flag != "" {
		for _, candidate := range []string{flag, filepath.Join(flag, "runtime")} {
			if holdsRuntime(candidate) {
				return relative(dir, candidate)
			}
		}
		return "", fmt.Errorf("--runtime: %s is neither a checkout of scaffold nor the directory of module %s", flag, RuntimeImport())
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
			return g.builtRuntime(dir)
		}
		at = filepath.Dir(at)
	}
}

// builtRuntime returns the runtime of the checkout that scaffold was built in.
func (g Generator) builtRuntime(dir string) (string, error) {
	const advice = "set --runtime to a checkout"
	if g.Build.Checkout == "" {
		return "", errors.New("this scaffold is not a release, and was built without the path of its checkout (-trimpath): " + advice + ", or run make install in a checkout")
	}
	runtime := filepath.Join(g.Build.Checkout, "runtime")
	if holdsRuntime(runtime) {
		return relative(dir, runtime)
	}
	problem := "no longer exists"
	if _, err := os.Stat(g.Build.Checkout); err == nil {
		problem = "is no longer a checkout of scaffold"
	}
	return "", fmt.Errorf("this scaffold was built in %s, which %s: %s, or run make install in a checkout again", g.Build.Checkout, problem, advice)
}

// checkoutOf returns the checkout of a source file, from the path that the compiler recorded;
// empty without a path.
func checkoutOf(source string) string {
	const below = "/internal/project/" // this package, below the root of the module
	root, _, found := strings.Cut(filepath.ToSlash(source), below)
	if root = filepath.FromSlash(root); !found || !filepath.IsAbs(root) {
		return ""
	}
	return root
}

// holdsRuntime reports whether dir is the directory of the runtime module.
func holdsRuntime(dir string) bool {
	data, err := userfile.Read(filepath.Join(dir, "go.mod"), userfile.Limit)
	return err == nil && modfile.ModulePath(data) == RuntimeImport()
}

// replacedRuntime returns the directory that replaces the runtime in the service's go.mod, or
// "".
func replacedRuntime(dir string) (string, error) {
	name := filepath.Join(dir, "go.mod")
	data, err := userfile.Read(name, userfile.Limit)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	file, err := parseModule(name, data)
	if err != nil {
		return "", err
	}
	for _, r := range file.Replace {
		if r.Old.Path == RuntimeImport() && r.New.Version == "" {
			return r.New.Path, nil
		}
	}
	return "", nil
}

// parseModule parses a go.mod. The errors of modfile quote the file, which may be any file, so
// a file without a module line is rejected before.
func parseModule(name string, src []byte) (*modfile.File, error) {
	if modfile.ModulePath(src) == "" {
		return nil, fmt.Errorf("%s: %s", filepath.ToSlash(name), userfile.Unmarked("module"))
	}
	return modfile.Parse(name, src, nil)
}

// CheckModule reports errors in the go.mod of the program in dir that the go tool would quote
// or explain in other terms.
func CheckModule(dir string) error {
	module, err := ModuleDirectory(dir)
	if err != nil {
		return nil //nolint:nilerr // the go tool reports it
	}
	file, err := ReadModule(module)
	if err != nil || file == nil {
		return err
	}
	return checkReplacement(dir, module, file)
}

// MovedRuntime returns the command that replaces the runtime by a checkout, for the program in
// dir. The go.mod of a module above is not generated.
func MovedRuntime(dir string) string {
	checkout, where := CurrentBuild().Checkout, ""
	if checkout == "" || !holdsRuntime(filepath.Join(checkout, "runtime")) {
		checkout, where = "DIR", ", where DIR is a checkout of scaffold"
	}
	if !fileExists(filepath.Join(dir, spec.FileName)) || !fileExists(filepath.Join(dir, "go.mod")) {
		return fmt.Sprintf("run go mod edit -replace=%s=%s%s", RuntimeImport(), ShellQuote(filepath.ToSlash(filepath.Join(checkout, "runtime"))), where)
	}
	command := "scaffold generate --runtime " + ShellQuote(filepath.ToSlash(checkout))
	if dir = filepath.ToSlash(dir); dir != "." {
		command += " " + ShellQuote(dir)
	}
	return "run " + command + where
}

// checkReplacement reports that go.mod replaces the runtime by a missing directory, as after
// the service or the checkout was moved.
func checkReplacement(dir, module string, file *modfile.File) error {
	if _, err := os.Stat(filepath.Join(module, "vendor", "modules.txt")); err == nil || inGoWork(module) {
		return nil // the go tool uses that instead
	}
	for _, r := range file.Replace {
		if r.Old.Path != RuntimeImport() || r.New.Version != "" {
			continue
		}
		target := filepath.FromSlash(r.New.Path)
		if !filepath.IsAbs(target) {
			target = filepath.Join(module, target)
		}
		if !holdsRuntime(target) {
			return fmt.Errorf("go.mod:%d: the runtime of scaffold is not in %s; %s", r.Syntax.Start.Line, r.New.Path, MovedRuntime(dir))
		}
	}
	return nil
}

// inGoWork reports whether a go.work may replace modules of the module in dir.
func inGoWork(dir string) bool {
	if work := os.Getenv("GOWORK"); work != "" {
		return work != "off"
	}
	at := resolved(dir)
	for {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
		at = filepath.Dir(at)
	}
}

// relative returns the path from one directory to another, with forward slashes as go.mod
// requires; it is absolute if there is no relative path, as between two drives.
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
