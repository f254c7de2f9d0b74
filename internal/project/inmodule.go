package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates/spec"
)

// ModuleAbove finds the nearest go.mod above dir within root, and returns its directory and
// module path; both are empty if there is none.
func ModuleAbove(root, dir string) (module, name string, err error) {
	for module := filepath.Dir(dir); !Outside(root, module); module = filepath.Dir(module) {
		src, err := userfile.Read(filepath.Join(module, "go.mod"), userfile.Limit)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if name = modfile.ModulePath(src); name == "" {
			return "", "", fmt.Errorf("%s has no module line; add one", RelPath(filepath.Join(module, "go.mod")))
		}
		return module, name, nil
	}
	return "", "", nil
}

// RequireCommands returns the shell commands that add the requirements of the service to the
// module above, to run in its directory. It returns none without such a module.
func (g Generator) RequireCommands(s spec.Service, dir, module, runtimeFlag string) ([]string, error) {
	if module == "" {
		return nil, nil
	}
	options, err := g.renderOptions(dir, runtimeFlag)
	if err != nil {
		return nil, err
	}
	s.ModuleDirectory = ""
	tree, err := g.Render(s, options)
	if err != nil {
		return nil, err
	}
	file, ok := tree.Find("go.mod")
	if !ok {
		return nil, errors.New("the templates of the service have no go.mod")
	}
	mod, err := modfile.Parse("go.mod", file.Data, nil)
	if err != nil {
		return nil, err
	}
	commands := []string{"cd " + ShellQuote(RelPath(module))}
	replaced := map[string]bool{}
	for _, r := range mod.Replace {
		directory := filepath.Join(dir, filepath.FromSlash(r.New.Path))
		way, err := relative(module, directory)
		if err != nil {
			return nil, err
		}
		replaced[r.Old.Path] = true
		commands = append(commands, fmt.Sprintf("go mod edit -replace=%s=%s", r.Old.Path, ShellQuote(way)))
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
