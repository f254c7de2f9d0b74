package cli

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

// AtRoot is what a service in a folder has at the root of its repository, with
// what generating it would write. Paths are relative to the root.
type AtRoot struct {
	Dir  string // the root, as the user would name it
	Tree templates.Tree
	Plan workspace.Plan
}

// repositoryChanges is the part of a document that tells of the root. Its keys
// are public.
type repositoryChanges struct {
	Directory string             `json:"directory"`
	Files     []workspace.Change `json:"files"`
}

// rootAbove is the root of the repository of which dir is the folder. Where there
// is no git, as in an unpacked archive, the path alone has to agree.
func rootAbove(dir, folder string) (string, error) {
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
			return "", fmt.Errorf("the service is at the root of the repository, not in %s; remove deploy.folder", folder)
		}
		if below != folder {
			return "", fmt.Errorf("the service directory is %[1]s, not %[2]s; set deploy.folder to %[1]s", below, folder)
		}
	}
	if below != folder && !strings.HasSuffix(below, "/"+folder) {
		return "", fmt.Errorf("the service directory %s does not end in %s; set deploy.folder to its path below the root of the repository", below, folder)
	}
	return filepath.Join(dir, filepath.FromSlash(upFrom(folder))), nil
}

// upFrom is the way from the folder to the root.
func upFrom(folder string) string {
	return strings.TrimSuffix(strings.Repeat("../", strings.Count(folder, "/")+1), "/")
}

// planRoot renders what belongs at the root of the repository and compares it
// with the disk.
func (g *globals) planRoot(dir string, s spec.Service, options templates.RenderOptions) (at *AtRoot, err error) {
	root, err := rootAbove(dir, s.Deploy.Folder)
	if err != nil {
		return nil, fmt.Errorf("%s: deploy.folder: %w", filepath.ToSlash(filepath.Join(dir, spec.FileName)), err)
	}
	at = &AtRoot{Dir: root}
	if at.Tree, err = g.RenderRepository(s, options); err != nil {
		return nil, err
	}
	if otherRenovate(root) != "" {
		at.Tree = slices.DeleteFunc(at.Tree, func(f templates.File) bool { return f.Path == renovateFile })
	}
	w, err := g.openRoot(root, s.Deploy.Folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	at.Plan, err = w.Plan(at.Tree)
	return at, err
}

// openRoot opens the root of a repository for one service of it. The state lies
// with the service: branches that add services have no file of state in common.
func (f Factory) openRoot(root, folder string) (*workspace.Workspace, error) {
	return f.openState(root, path.Join(folder, workspace.DefaultState, "repository"))
}

const renovateFile = "renovate.json"

// otherRenovate is where else Renovate is told what to do: it reads one file.
func otherRenovate(root string) string {
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

// apply writes the service, and then what it has at the root.
func (g *globals) apply(ctx context.Context, w *workspace.Workspace, t Target) error {
	if err := w.Apply(ctx, t.Plan); err != nil {
		return err
	}
	if t.AtRoot == nil {
		return nil
	}
	if err := g.applyRoot(ctx, t); err != nil {
		return fmt.Errorf("created the service in %s, but not the files at the root of the repository: %w; fix the error and run scaffold generate there", t.Dir, err)
	}
	return nil
}

func (g *globals) applyRoot(ctx context.Context, t Target) (err error) {
	w, err := g.openRoot(t.AtRoot.Dir, t.Service.Deploy.Folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return w.Apply(ctx, t.AtRoot.Plan)
}

// rootChanges are those at the root, with paths from the service.
func (t Target) rootChanges() []workspace.Change {
	if t.AtRoot == nil {
		return nil
	}
	changes := slices.Clone(t.AtRoot.Plan.Changes)
	for i := range changes {
		changes[i].Path = t.fromService(changes[i].Path)
	}
	return changes
}

// fromService is a path at the root as somebody in the service would write it.
func (t Target) fromService(name string) string {
	return path.Join(upFrom(t.Service.Deploy.Folder), name)
}

// named is a path at the root as the user would write it.
func (at *AtRoot) named(name string) string { return filepath.ToSlash(filepath.Join(at.Dir, name)) }

// conflicts are those of the service and of the root.
func (t Target) conflicts() []workspace.Change {
	found := t.Plan.Conflicts()
	for _, c := range t.rootChanges() {
		if c.Action == workspace.Conflict {
			found = append(found, c)
		}
	}
	return found
}

// repositoryChanges is the part of a document that tells of the root; nil leaves
// it out.
func (t Target) repositoryChanges() *repositoryChanges {
	if t.AtRoot == nil {
		return nil
	}
	return &repositoryChanges{Directory: filepath.ToSlash(t.AtRoot.Dir), Files: t.AtRoot.Plan.Changes}
}

// sharedEdits are the lines of a new service in files of the whole repository.
type sharedEdits struct{ owners, gitlab monorepo.Edit }

// planShared finds out how forges learn who reviews changes of the service, and
// where its jobs are.
func planShared(ctx context.Context, t Target) (s sharedEdits, err error) {
	if t.AtRoot == nil {
		return sharedEdits{}, nil
	}
	root, deploy := t.AtRoot.Dir, t.Service.Deploy
	reads := slices.Contains(deploy.Pipelines, spec.PipelineGitHub)
	if s.owners, err = monorepo.PlanOwners(root, deploy.Folder, t.Service.Owner, organisation(ctx, root), reads); err != nil {
		return sharedEdits{}, err
	}
	if slices.Contains(deploy.Pipelines, spec.PipelineGitLab) {
		s.gitlab, err = monorepo.PlanInclude(root, deploy.Folder, templates.AllStages())
	}
	return s, err
}

func (s sharedEdits) write() error { return errors.Join(s.owners.Write(), s.gitlab.Write()) }

// sharedAttempts is how often the lines are written while services that are created at
// the same time change the files.
const sharedAttempts = 10

// writeShared writes the lines until the files have them.
func writeShared(ctx context.Context, t Target) (err error) {
	for range sharedAttempts {
		s, planErr := planShared(ctx, t)
		if planErr != nil || s.owners.File == "" && s.gitlab.File == "" {
			return planErr
		}
		err = s.write()
	}
	return err
}

// organisation is who owns the repository on its forge, empty when no remote
// says so.
func organisation(ctx context.Context, root string) string {
	remote, err := git(ctx, root, "config", "--get", "remote.origin.url")
	if err != nil {
		return ""
	}
	parts := strings.Split(moduleOfRemote(remote), "/")
	const least = 3 // host, organisation, repository
	if len(parts) < least {
		return ""
	}
	return strings.Join(parts[1:len(parts)-1], "/")
}

// andAtRoot continues a sentence that counts files.
func (t Target) andAtRoot(count func(*AtRoot) int) string {
	if t.AtRoot == nil || count(t.AtRoot) == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d at the root of the repository", count(t.AtRoot))
}

// place settles which folder of which repository the service is to be, and
// returns the root; empty when git keeps none that the folder belongs to.
func (o *newOptions) place(ctx context.Context) (root string, err error) {
	at, err := filepath.Abs(o.dir)
	if err != nil {
		return "", err
	}
	root, kept := monorepo.Root(at)
	if !kept || monorepo.Ignored(ctx, root, at) {
		root = ""
	}
	switch {
	case o.folder == "." || o.folder == "" && root == "":
		return root, nil
	case o.folder != "":
		o.choices.Folder = o.folder
		if valid := spec.CheckFolder(o.folder) == nil; !valid {
			return root, nil // it is reported with what else is wrong
		}
		if _, err := rootAbove(o.dir, o.folder); err != nil {
			return "", &UsageError{Err: fmt.Errorf("--folder: %w", err)}
		}
		return root, nil
	}
	below, err := filepath.Rel(root, at)
	if err != nil {
		return "", err
	}
	if below != "." {
		o.choices.Folder = filepath.ToSlash(below)
	}
	return root, nil
}

// createdEdit is a line in a file that all services of a repository share.
type createdEdit struct {
	File string `json:"file,omitempty"` // below the root; empty when the line is left to people
	Line string `json:"line"`
	Left string `json:"left,omitempty"` // why it is
}

func describeEdit(e monorepo.Edit) *createdEdit {
	if e.Line == "" {
		return nil
	}
	return &createdEdit{File: e.File, Line: e.Line, Left: e.Left}
}

// printShared tells what becomes of the lines in shared files, and of Renovate.
func (g *globals) printShared(t Target, s sharedEdits) {
	if t.AtRoot == nil {
		return
	}
	if other := otherRenovate(t.AtRoot.Dir); other != "" {
		g.printf("Renovate is configured in %s; no renovate.json is written.\n\n", t.AtRoot.named(other))
	}
	for _, edit := range []struct {
		monorepo.Edit
		what, missing, file string
	}{
		{s.owners, "Who reviews it", "Nobody is asked to review it", "CODEOWNERS"},
		{s.gitlab, "Where GitLab finds its jobs", "GitLab does not find its jobs", ".gitlab-ci.yml"},
	} {
		switch {
		case edit.Left != "":
			g.printf("%s, because %s. Add this line to %s:\n\n  %s\n\n", edit.missing, edit.Left, edit.file, edit.Line)
		case edit.File != "":
			g.printf("%s: %s in %s\n\n", edit.what, edit.Line, t.AtRoot.named(edit.File))
		}
	}
}
