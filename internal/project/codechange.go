package project

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates/spec"
)

// codeChanges finds changes of the spec that scaffold generate cannot follow in the user's code: it would leave a
// service that does not build or whose tests fail. Changes that the user has already made in the code are not reported.
func codeChanges(w *workspace.Workspace, t Target, src []byte) (diagnostic.List, error) {
	dir, s := t.Dir, t.Service
	name := filepath.ToSlash(filepath.Join(dir, spec.FileName))
	doc, err := yamldoc.Parse(name, src)
	if err != nil {
		return nil, err
	}
	doc.Decode(new(spec.Service)) // records the positions of the keys
	has := func(file string) bool {
		return fileExists(filepath.Join(dir, filepath.FromSlash(file)))
	}
	// without reports that the service would get the files and has none of them.
	without := func(files ...string) bool {
		generated := func(file string) bool { _, ok := t.Tree.Find(file); return ok }
		written := func(file string) bool { return w.Recorded(file) || has(file) }
		return slices.ContainsFunc(files, generated) && !slices.ContainsFunc(files, written)
	}
	if command := path.Join("cmd", s.Binary()); without(command+"/main.go", command+"/defaults.gen.go") {
		doc.Problemf("service", "there is no %s, and scaffold generate does not rename a service; write the name that the service had, then run scaffold rename %s", command, s.Name)
	}
	mod, err := ReadModule(dir)
	if err != nil {
		return nil, err
	}
	if mod != nil && mod.Module != nil && s.ModuleDirectory == "" && mod.Module.Mod.Path != s.Module {
		doc.Problemf("module", "go.mod has the module %s, and scaffold generate does not change your imports; write that module, then run scaffold rename %s --module %s", mod.Module.Mod.Path, s.Name, s.Module)
	}
	if domain := path.Join("internal", s.One().Package()); without(path.Join(domain, s.One().Package()+".go")) {
		at, write := "resource", "the resource that the service had"
		if !doc.Has(at) {
			at, write = "service", "a key resource with the one that the service had" // the resource follows from the name
		}
		doc.Problemf(at, "there is no %s, and scaffold generate does not rename your code; write %s, or first rename it in the code", domain, write)
	}
	var list diagnostic.List
	if err := doc.Err(); err != nil && !errors.As(err, &list) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	used, err := stillUsed(w, t)
	return append(list, used...), err
}

// regenerateCommand returns the command that generates the service in another directory, and
// the path of the service there.
func regenerateCommand(dir string, s spec.Service) (command, other string) {
	other = path.Join("OTHER", s.Deploy.Directory)
	command = fmt.Sprintf("mkdir -p %[1]s && cp %[2]s %[1]s && scaffold generate %[1]s", ShellQuote(other), ShellQuote(filepath.ToSlash(filepath.Join(dir, spec.FileName))))
	if defaults := filepath.Join(dir, filepath.FromSlash(defaultsPath)); fileExists(defaults) {
		command += " --defaults " + ShellQuote(filepath.ToSlash(defaults))
	}
	return command, other
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
