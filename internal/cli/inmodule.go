package cli

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates/spec"
)

// joinModule makes the service a part of the module above it, which lies within
// the repository, if that was asked for. It returns the folder of that module.
func (o *newOptions) joinModule(root string) (string, error) {
	if !o.inModule {
		return "", nil
	}
	if o.given("module") {
		return "", &UsageError{Err: errors.New("--in-module and --module exclude each other")}
	}
	if root == "" {
		return "", &UsageError{Err: fmt.Errorf("--in-module: %s is not in a git repository; run git init in the root of the module", o.dir)}
	}
	at, err := filepath.Abs(o.dir)
	if err != nil {
		return "", err
	}
	for dir := filepath.Dir(at); !outside(root, dir); dir = filepath.Dir(dir) {
		src, err := userfile.Read(filepath.Join(dir, "go.mod"), userfile.Limit)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		above := modfile.ModulePath(src)
		if above == "" {
			return "", fmt.Errorf("%s has no module line; add one", nearer(filepath.Join(dir, "go.mod")))
		}
		below, err := filepath.Rel(dir, at)
		if err != nil {
			return "", err
		}
		o.choices.ModuleFolder = filepath.ToSlash(below)
		o.choices.Module = path.Join(above, o.choices.ModuleFolder)
		return dir, nil
	}
	return "", &UsageError{Err: fmt.Errorf("--in-module: no go.mod above %s in its repository; remove the flag, or run go mod init", o.dir)}
}

// requireCommands are what the module above has to be told, to type in its folder:
// what a service of its own would require, at the same versions. Without such a
// module there are none.
func (g *globals) requireCommands(s spec.Service, dir, module, runtimeFlag string) ([]string, error) {
	if module == "" {
		return nil, nil
	}
	options, err := g.renderOptions(dir, runtimeFlag)
	if err != nil {
		return nil, err
	}
	s.ModuleFolder = ""
	tree, err := g.Render(s, options)
	if err != nil {
		return nil, err
	}
	file, ok := tree.Find("go.mod")
	if !ok {
		return nil, errors.New("a service has no go.mod, which is a defect of its templates")
	}
	mod, err := modfile.Parse("go.mod", file.Data, nil)
	if err != nil {
		return nil, err
	}
	commands := []string{"cd " + quote(nearer(module))}
	replaced := map[string]bool{}
	for _, r := range mod.Replace {
		folder := filepath.Join(dir, filepath.FromSlash(r.New.Path))
		way, err := relative(module, folder)
		if err != nil {
			return nil, err
		}
		replaced[r.Old.Path] = true
		commands = append(commands, fmt.Sprintf("go mod edit -replace=%s=%s", r.Old.Path, quote(way)))
	}
	var wanted []string
	for _, r := range mod.Require {
		switch {
		case replaced[r.Mod.Path]:
			commands = append(commands, fmt.Sprintf("go mod edit -require=%s@%s", r.Mod.Path, r.Mod.Version))
		case !r.Indirect:
			wanted = append(wanted, r.Mod.Path+"@"+r.Mod.Version)
		}
	}
	return append(commands, "go get "+strings.Join(wanted, " "), "go mod tidy"), nil
}
