package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// AtRoot has the files of a service at the root of its repository, and the plan to write them.
// Paths are relative to the root.
type AtRoot struct {
	Dir  string // the root, as the user would write it
	Tree templates.Tree
	Plan workspace.Plan

	unresolved []workspace.Unresolved
}

// RootAbove returns the root of the repository in which dir has the path directory. Without
// git, as in an unpacked archive, only the path is compared.
func RootAbove(dir, directory string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	below := filepath.ToSlash(at)
	if top, kept := monorepo.Root(at); kept {
		if below, err = filepath.Rel(top, at); err != nil {
			return "", err
		}
		below = filepath.ToSlash(below)
		if below == "." {
			return "", fmt.Errorf("the service is at the root of the repository, not in %s; remove deploy.directory", directory)
		}
		if below != directory {
			return "", fmt.Errorf("the service directory is %[1]s, not %[2]s; set deploy.directory to %[1]s", below, directory)
		}
	}
	if below != directory && !strings.HasSuffix(below, "/"+directory) {
		return "", fmt.Errorf("the service directory %s does not end in %s; set deploy.directory to its path below the root of the repository", below, directory)
	}
	return filepath.Join(dir, filepath.FromSlash(upFrom(directory))), nil
}

// upFrom returns the path from the directory to the root.
func upFrom(directory string) string {
	return strings.TrimSuffix(strings.Repeat("../", strings.Count(directory, "/")+1), "/")
}

// planRoot renders the files at the root of the repository and compares them with the disk.
func (g Generator) planRoot(t Target, options templates.RenderOptions) (at *AtRoot, err error) {
	dir, s := t.Dir, t.Service
	root, err := RootAbove(dir, s.Deploy.Directory)
	if err != nil {
		return nil, fmt.Errorf("%s: deploy.directory: %w", filepath.ToSlash(filepath.Join(dir, spec.FileName)), err)
	}
	at = &AtRoot{Dir: root}
	if at.Tree, err = g.RenderRepository(s, options); err != nil {
		return nil, err
	}
	if OtherRenovate(root) != "" {
		at.Tree = slices.DeleteFunc(at.Tree, func(f templates.File) bool { return f.Path == renovateFile })
	}
	w, err := g.openRoot(root, s.Deploy.Directory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if at.unresolved, err = w.Unresolved(); err != nil {
		return nil, err
	}
	t.fromService(at.unresolved)
	at.Plan, err = w.PlanFor(at.Tree, workspace.Request{Overwrite: t.request.Overwrite, Moves: t.renaming.moves(w, at.Tree)})
	return at, err
}

// openRoot opens the root of a repository for one of its services. The state is in the
// directory of the service, so that branches that add services change no common state file. Services
// are written in parallel there, so it is not locked.
func (g Generator) openRoot(root, directory string) (*workspace.Workspace, error) {
	return g.openState(root, workspace.Options{State: path.Join(directory, workspace.DefaultState, "repository")})
}

const renovateFile = "renovate.json"

// OtherRenovate returns another Renovate configuration file in root, or "".
func OtherRenovate(root string) string {
	for _, name := range []string{
		"renovate.json5", ".github/renovate.json", ".github/renovate.json5", ".gitlab/renovate.json", ".gitlab/renovate.json5",
		".renovaterc", ".renovaterc.json", ".renovaterc.json5",
	} {
		if _, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name))); err == nil {
			return name
		}
	}
	return ""
}

// Apply writes the service, and then its files at the root.
func (g Generator) Apply(ctx context.Context, w *workspace.Workspace, t Target) error {
	if err := w.Apply(ctx, t.Plan); err != nil {
		return err
	}
	if t.AtRoot == nil {
		return nil
	}
	if err := g.applyRoot(ctx, t); err != nil {
		return fmt.Errorf("wrote the files in %s, but not those at the root of the repository: %w; fix the error, then run scaffold generate in that directory", t.Dir, err)
	}
	return nil
}

func (g Generator) applyRoot(ctx context.Context, t Target) (err error) {
	w, err := g.openRoot(t.AtRoot.Dir, t.Service.Deploy.Directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return w.Apply(ctx, t.AtRoot.Plan)
}

// RootChanges returns the changes at the root, with paths relative to the service.
func (t Target) RootChanges() []workspace.Change {
	if t.AtRoot == nil {
		return nil
	}
	return t.fromRoot(t.AtRoot.Plan.Changes)
}

// fromRoot returns changes at the root with paths relative to the service.
func (t Target) fromRoot(changes []workspace.Change) []workspace.Change {
	out := slices.Clone(changes)
	for i := range out {
		out[i].Path = t.FromService(out[i].Path)
	}
	return out
}

// FromService returns the path of a file at the root, relative to the service.
func (t Target) FromService(name string) string {
	return path.Join(upFrom(t.Service.Deploy.Directory), name)
}

func (t Target) fromService(found []workspace.Unresolved) {
	for i, u := range found {
		found[i].Path = t.FromService(u.Path)
		if u.Template != "" {
			found[i].Template = t.FromService(u.Template)
		}
	}
}

// Conflicted returns the conflicts that the plans leave in files, with paths relative to the service.
func (t Target) Conflicted() []workspace.Unresolved {
	found := slices.Clone(t.Plan.Unresolved())
	if t.AtRoot == nil {
		return found
	}
	atRoot := slices.Clone(t.AtRoot.Plan.Unresolved())
	t.fromService(atRoot)
	return append(found, atRoot...)
}

// Overwrites returns the changes that overwrite edits of the user, with paths relative to the service.
func (t Target) Overwrites() []workspace.Change {
	found := t.Plan.Overwrites()
	if t.AtRoot == nil {
		return found
	}
	return append(found, t.fromRoot(t.AtRoot.Plan.Overwrites())...)
}

// Named returns the path of a file at the root as the user would write it.
func (at *AtRoot) Named(name string) string { return filepath.ToSlash(filepath.Join(at.Dir, name)) }

// With returns the changes of the service and of the root with an action.
func (t Target) With(a workspace.Action) []workspace.Change {
	found := t.Plan.With(a)
	for _, c := range t.RootChanges() {
		if c.Action == a {
			found = append(found, c)
		}
	}
	return found
}

// Diffs returns the changes of content in the service and at the root, with paths relative to the service.
func (t Target) Diffs() []workspace.Diff {
	found := t.Plan.Diffs()
	if t.AtRoot == nil {
		return found
	}
	for _, d := range t.AtRoot.Plan.Diffs() {
		d.Path = t.FromService(d.Path)
		found = append(found, d)
	}
	return found
}

// SharedEdits are the lines of a new service in files of the whole repository.
type SharedEdits struct{ Owners, GitLab monorepo.Edit }

// PlanShared determines the lines for the code owners of the service and for its GitLab jobs.
func PlanShared(ctx context.Context, t Target) (s SharedEdits, err error) {
	if t.AtRoot == nil {
		return SharedEdits{}, nil
	}
	root, deploy := t.AtRoot.Dir, t.Service.Deploy
	reads := slices.Contains(deploy.Pipelines, spec.PipelineGitHub)
	if s.Owners, err = monorepo.PlanOwners(root, deploy.Directory, t.Service.Owner, organization(ctx, root), reads); err != nil {
		return SharedEdits{}, err
	}
	if slices.Contains(deploy.Pipelines, spec.PipelineGitLab) {
		s.GitLab, err = monorepo.PlanInclude(root, deploy.Directory, templates.AllStages())
	}
	return s, err
}

// sharedAttempts limits the attempts to write the lines while other services are created at the
// same time.
const sharedAttempts = 10

// WriteShared writes the lines, and tries again if the files have changed.
func WriteShared(ctx context.Context, t Target) (err error) {
	for range sharedAttempts {
		s, planErr := PlanShared(ctx, t)
		if planErr != nil || s.Owners.File == "" && s.GitLab.File == "" {
			return planErr
		}
		if err = errors.Join(s.Owners.Write(), s.GitLab.Write()); err != nil && !errors.Is(err, monorepo.ErrChanged) {
			return err
		}
	}
	return err
}

// organization returns the owner of the repository on its forge, or "" without a matching
// remote.
func organization(ctx context.Context, root string) string {
	remote, err := monorepo.Git(ctx, root, "config", "--get", "remote.origin.url")
	if err != nil {
		return ""
	}
	parts := strings.Split(moduleOfRemote(remote), "/")
	const least = 3 // host, organization, repository
	if len(parts) < least {
		return ""
	}
	return strings.Join(parts[1:len(parts)-1], "/")
}
