package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/internal/project/specedit"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// defaultsPath is the copy of the file of --defaults, so that every machine generates the same.
const defaultsPath = ".scaffold/defaults.yaml"

// Target is a service and the plan to generate it.
type Target struct {
	Dir     string // as the user would write it
	Service spec.Service
	Tree    templates.Tree
	Plan    workspace.Plan
	AtRoot  *AtRoot // nil when the service is its repository
	// CodeChanges are changes of the spec that also need changes in the code.
	CodeChanges diagnostic.List
	// Unresolved are conflicts of an earlier run, with paths relative to the service.
	Unresolved []workspace.Unresolved
	// Own has the problems of user-owned rules and dashboards.
	Own OwnProblems
	// Ask returns the output of a command of the service, such as telemetry. The first call
	// builds the service. Nil leaves out everything that needs a service that builds.
	Ask func(ctx context.Context, verb string) ([]byte, error)
	// render returns the files for the output of the service's telemetry command.
	render   func(signals []byte) (templates.Tree, error)
	request  workspace.Request
	renaming *renaming // nil: the service keeps its name
}

// Options are the flags of commands that work on an existing service.
type Options struct {
	Dir      string // empty: the service around the working directory
	Defaults string // file of defaults; empty: those that the service was generated with
	Runtime  string // directory of the runtime; empty: search for it
	// Edit, if set, changes the spec before the service is rendered.
	Edit func(*specedit.Spec) error
	// Rename means that Edit changes the name or the module: the files and imports of the service follow.
	Rename bool
	// Overwrite replaces generated files with edits, of which it keeps copies.
	Overwrite bool
	// Unresolved opens a service with conflicts of an earlier run, too.
	Unresolved bool
}

// FindService returns the directory of the service: the named one, or else the nearest one
// upward from the working directory.
func FindService(named string) (string, error) {
	if named != "" {
		if _, err := os.Stat(filepath.Join(named, spec.FileName)); err != nil {
			return "", fmt.Errorf("no %[2]s in %[1]s; pass the directory of a service", named, spec.FileName)
		}
		return named, nil
	}
	at, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	for dir := "."; ; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(at, spec.FileName)); err == nil {
			return dir, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no %s in this directory or above; "+
				"run scaffold new NAME, or pass the directory of a service", spec.FileName)
		}
		at = filepath.Dir(at)
	}
}

// LoadSpec reads the spec of the service in dir over its defaults: those in the named file, or else those that it was
// generated with. The error is a [workspace.UnresolvedError] if files of the service have conflicts.
func LoadSpec(dir, defaultsFile string) (s spec.Service, err error) {
	w, err := workspace.Open(dir, workspace.Options{})
	if err != nil {
		return spec.Service{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	unresolved, err := w.Unresolved()
	if err != nil {
		return spec.Service{}, err
	}
	if len(unresolved) > 0 {
		return spec.Service{}, &workspace.UnresolvedError{Files: unresolved, Earlier: true}
	}
	s, _, _, err = loadSpec(dir, defaultsFile)
	return s, err
}

func loadSpec(dir, defaultsFile string) (spec.Service, spec.Defaults, []byte, error) {
	defaults, err := ServiceDefaults(dir, defaultsFile)
	if err != nil {
		return spec.Service{}, spec.Defaults{}, nil, err
	}
	src, err := userfile.Read(filepath.Join(dir, spec.FileName), userfile.Limit)
	if err != nil {
		return spec.Service{}, spec.Defaults{}, nil, err
	}
	s, err := defaults.Parse(filepath.Join(dir, spec.FileName), src)
	return s, defaults, src, err
}

// ServiceDefaults reads the defaults in the named file, or else those that the service in dir
// was generated with, if any.
func ServiceDefaults(dir, named string) (spec.Defaults, error) {
	if named != "" {
		return LoadDefaults(named)
	}
	defaults, err := LoadDefaults(filepath.Join(dir, filepath.FromSlash(defaultsPath)))
	if errors.Is(err, fs.ErrNotExist) {
		return spec.Defaults{}, nil
	}
	return defaults, err
}

// LoadDefaults reads a file of defaults. An empty name returns no defaults.
func LoadDefaults(name string) (spec.Defaults, error) {
	if name == "" {
		return spec.Defaults{}, nil
	}
	src, err := userfile.Read(name, userfile.Limit)
	if err != nil {
		return spec.Defaults{}, err
	}
	return spec.ParseDefaults(filepath.ToSlash(name), src)
}

// Open loads the service that the flags select and plans its generation, to compare or print it. The
// caller closes the workspace.
func (g Generator) Open(flags Options) (Target, *workspace.Workspace, error) {
	return g.open(flags, g.OpenWorkspace)
}

// Lock is [Generator.Open] for a plan to be applied. It returns an error if another scaffold has locked
// the service.
func (g Generator) Lock(flags Options) (Target, *workspace.Workspace, error) {
	return g.open(flags, g.LockWorkspace)
}

func (g Generator) open(flags Options, openDir func(string) (*workspace.Workspace, error)) (Target, *workspace.Workspace, error) {
	dir, err := FindService(flags.Dir)
	if err != nil {
		return Target{}, nil, err
	}
	// State first: if scaffold is too old for it, the spec may have unknown keys.
	w, err := openDir(dir)
	if err != nil {
		return Target{}, nil, err
	}
	t, err := g.resolved(w, dir, flags)
	if err != nil {
		return Target{}, nil, errors.Join(err, w.Close())
	}
	return t, w, nil
}

// resolved returns the target, or an error if it has conflicts and the flags do not ask for these.
func (g Generator) resolved(w *workspace.Workspace, dir string, flags Options) (Target, error) {
	unresolved, err := w.Unresolved()
	if err != nil {
		return Target{}, err
	}
	if len(unresolved) > 0 && !flags.Unresolved { // first: the rest may fail for the conflicts
		return Target{}, &workspace.UnresolvedError{Files: unresolved, Earlier: true}
	}
	t, err := g.target(w, dir, flags)
	if err != nil {
		return Target{}, err
	}
	if t.Unresolved = append(unresolved, t.Unresolved...); len(t.Unresolved) > 0 && !flags.Unresolved {
		return Target{}, &workspace.UnresolvedError{Files: t.Unresolved, Earlier: true}
	}
	return t, nil
}

func (g Generator) target(w *workspace.Workspace, dir string, flags Options) (Target, error) {
	s, defaults, src, err := loadSpec(dir, flags.Defaults)
	if err != nil {
		return Target{}, err
	}
	var renamed *renaming
	request := workspace.Request{Overwrite: flags.Overwrite}
	if flags.Edit != nil {
		edited := specedit.Spec{Name: filepath.Join(dir, spec.FileName), Src: src, Defaults: defaults}
		if err := flags.Edit(&edited); err != nil {
			return Target{}, err
		}
		renamed = &renaming{dir: dir, before: s}
		src = edited.Src
		if s, err = defaults.Parse(edited.Name, src); err != nil {
			return Target{}, err
		}
		request.Edits = []templates.File{{Path: spec.FileName, Mode: 0o644, Data: src, Owner: templates.UserOwned}}
	}
	if flags.Rename {
		renamed.after = s
		if err := renamed.add(w, &request); err != nil {
			return Target{}, err
		}
	} else {
		renamed = nil
	}
	first := !wroteBefore(dir, s)
	if !first {
		if err := stateExists(w, dir, s, flags); err != nil {
			return Target{}, err
		}
	}
	t := Target{Dir: dir, Service: s, request: request, renaming: renamed}
	if g.Ask != nil {
		t.Ask = asking(g.Ask, dir, s.Binary())
	}
	t, err = g.Plan(w, t, defaults, src, flags.Runtime)
	if err != nil {
		return Target{}, err
	}
	if first || flags.Rename {
		return t, nil
	}
	t.CodeChanges, err = codeChanges(w, t, src)
	return t, err
}

// wroteBefore reports whether scaffold has written the service before.
func wroteBefore(dir string, s spec.Service) bool {
	return slices.ContainsFunc([]string{workspace.DefaultState, "cmd/" + s.Binary()}, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// stateExists requires the record of what scaffold wrote, and the recorded defaults.
func stateExists(w *workspace.Workspace, dir string, s spec.Service, flags Options) error {
	state := filepath.ToSlash(filepath.Join(dir, workspace.DefaultState))
	restore := "restore it from version control: git checkout HEAD -- " + ShellQuote(state)
	if !w.HasRecord() {
		command, other := regenerateCommand(dir, s)
		return fmt.Errorf("%s/manifest.json is missing: scaffold needs it to distinguish your edits from generated content; %s; if it was never committed, generate the service in another directory and copy %s/%s from there: %s",
			state, restore, other, workspace.DefaultState, command)
	}
	file := filepath.Join(dir, filepath.FromSlash(defaultsPath))
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && w.Recorded(defaultsPath) && flags.Defaults == "" {
		return fmt.Errorf("%s is missing: the service was generated with the defaults in it; %s, or name the file with --defaults", filepath.ToSlash(file), restore)
	}
	return nil
}

// Plan renders the service and compares it with the disk.
func (g Generator) Plan(w *workspace.Workspace, t Target, defaults spec.Defaults, src []byte, runtimeFlag string) (Target, error) {
	options, err := g.renderOptions(t.Dir, runtimeFlag)
	if err != nil {
		return Target{}, err
	}
	if options.Own, t.Own, err = ownFiles(t.Dir); err != nil {
		return Target{}, err
	}
	if !t.Service.Deploy.RunsOn(spec.PlatformKubernetes) {
		t.Own = OwnProblems{} // nothing deploys them
	}
	t.render = func(signals []byte) (templates.Tree, error) {
		options.Signals = signals
		rendered, err := g.Render(t.Service, options)
		if err != nil {
			return nil, err
		}
		return withState(rendered, defaults, src)
	}
	if t.Tree, err = t.render(printedBefore(t.Dir)); err != nil {
		return Target{}, err
	}
	if t.renaming != nil {
		maps.Copy(t.request.Moves, t.renaming.moves(w, t.Tree))
	}
	if t.Plan, err = w.PlanFor(t.Tree, t.request); err != nil {
		return Target{}, err
	}
	if t.Service.Deploy.Directory != "" && g.RenderRepository != nil {
		t.AtRoot, err = g.planRoot(t, options)
	}
	if t.AtRoot != nil {
		t.Unresolved = t.AtRoot.unresolved
	}
	return t, err
}

// withState adds the spec and its defaults.
func withState(rendered templates.Tree, defaults spec.Defaults, src []byte) (templates.Tree, error) {
	files := append([]templates.File{
		{Path: spec.FileName, Mode: 0o644, Data: src, Owner: templates.UserOwned},
	}, rendered...)
	if !defaults.IsZero() {
		files = append(files, templates.File{Path: defaultsPath, Mode: 0o644, Data: defaults.Source(), Owner: templates.Generated})
	}
	return templates.NewTree(files...)
}
