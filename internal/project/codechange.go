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

// migrationsFile exists only in a service with PostgreSQL.
const migrationsFile = "migrations/migrations.go"

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
	switch {
	case s.HasPostgres() && !w.Recorded(migrationsFile) && !has(migrationsFile):
		doc.Problemf("components.postgres", "the service has no %s, and scaffold generate does not change your code; remove the component, or first %s", migrationsFile, storeSteps(dir, s))
	case !s.HasPostgres() && w.Recorded(migrationsFile) && has(migrationsFile):
		doc.Problemf("components", "the service has %s, and scaffold generate does not change your code; write components: {postgres: {}} again, or first %s", migrationsFile, storeSteps(dir, s))
	}
	var list diagnostic.List
	if err := doc.Err(); err != nil && !errors.As(err, &list) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// storeSteps returns the steps to change the store of a service, on one line like every
// problem.
func storeSteps(dir string, s spec.Service) string {
	command, other := regenerateCommand(dir, s)
	migrations, change := "remove migrations", "store.NewMemory() instead of postgres.New, store.New(db) and its CleanUp"
	if s.HasPostgres() {
		migrations, change = "copy "+other+"/migrations", "the configuration, postgres.New, and store.New(db) with its CleanUp instead of store.NewMemory()"
	}
	return fmt.Sprintf("(1) generate the service in another directory: %[1]s; (2) %[2]s; (3) remove internal/store and copy %[3]s/internal/store; "+
		"(4) copy %[3]s/cmd/%[4]s/main_test.go; (5) copy %[3]s/cmd/%[4]s/main.go, or if you edited yours, change its imports and write %[5]s; (6) run scaffold generate again",
		command, migrations, other, s.Binary(), change)
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
