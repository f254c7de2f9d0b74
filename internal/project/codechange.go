package project

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// codeChanges finds changes of the spec that also need changes in the user-owned code.
// Generating the other files would then leave a service that does not build or whose tests
// fail. Changes that the user has already made in the code are not reported.
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
		doc.Problemf("service", "there is no %s, and scaffold generate does not rename your code; write the name that the service had, or first rename its directory below cmd, remove defaults.gen.go from it, set Name in its main.go, and run scaffold generate again", command)
	}
	mod, err := ReadModule(dir)
	if err != nil {
		return nil, err
	}
	if mod != nil && mod.Module != nil && s.ModuleDirectory == "" && mod.Module.Mod.Path != s.Module {
		doc.Problemf("module", "go.mod has the module %s, and scaffold generate does not change your imports; write that module, or first run go mod edit -module %s and change the imports", mod.Module.Mod.Path, s.Module)
	}
	if domain := path.Join("internal", s.One().Package()); without(path.Join(domain, s.One().Package()+".go")) {
		at, write := "resource", "the resource that the service had"
		if !doc.Has(at) {
			at, write = "service", "a key resource with the one that the service had" // the resource follows from the name
		}
		doc.Problemf(at, "there is no %s, and scaffold generate does not rename your code; write %s, or first rename it in the code", domain, write)
	}
	used := s.Components.Names()
	for _, c := range components.All() {
		code := c.Parts(component.Service{}).Code
		switch exists, uses := has(code.Marker), slices.Contains(used, c.Name); {
		case code.Marker == "":
		case uses && !w.Recorded(code.Marker) && !exists:
			doc.Problemf("components."+c.Name, "the service has no %s, and scaffold generate does not change your code; remove the component, or first %s", code.Marker, codeSteps(dir, s, code.Add, code.Calls))
		case !uses && w.Recorded(code.Marker) && exists:
			doc.Problemf("components", "the service has %s, and scaffold generate does not change your code; write components: {%s: {}} again, or first %s", code.Marker, c.Name, codeSteps(dir, s, code.Remove, code.Without))
		}
	}
	var list diagnostic.List
	if err := doc.Err(); err != nil && !errors.As(err, &list) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// codeSteps returns the steps to change the code of a service, on one line like every problem.
func codeSteps(dir string, s spec.Service, steps []string, calls string) string {
	command, other := regenerateCommand(dir, s)
	all := append([]string{"generate the service in another directory: " + command}, steps...)
	all = append(all, "copy OTHER/cmd/"+s.Binary()+"/main_test.go",
		"copy OTHER/cmd/"+s.Binary()+"/main.go, or if you edited yours, change its imports and write "+calls, "run scaffold generate again")
	for i, step := range all[1:] {
		all[i+1] = strings.ReplaceAll(step, "OTHER", other)
	}
	for i := range all {
		all[i] = fmt.Sprintf("(%d) %s", i+1, all[i])
	}
	return strings.Join(all, "; ")
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
