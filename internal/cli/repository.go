package cli

import (
	"fmt"
	"path/filepath"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates/spec"
)

// repositoryChanges has the changes at the root of the repository. Its keys are public.
type repositoryChanges struct {
	Directory string             `json:"directory"`
	Files     []workspace.Change `json:"files"`
}

// repositoryChangesOf returns nil if the service is the root of its repository.
func repositoryChangesOf(t project.Target) *repositoryChanges {
	if t.AtRoot == nil {
		return nil
	}
	return &repositoryChanges{Directory: filepath.ToSlash(t.AtRoot.Dir), Files: t.AtRoot.Plan.Changes}
}

// andAtRoot continues a sentence that counts files.
func andAtRoot(t project.Target, count func(*project.AtRoot) int) string {
	if t.AtRoot == nil || count(t.AtRoot) == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d at the root of the repository", count(t.AtRoot))
}

// createdEdit is a line in a file that all services of a repository share.
type createdEdit struct {
	File string `json:"file,omitempty"` // relative to the root; empty if the user has to add the line
	Line string `json:"line"`
	Left string `json:"left,omitempty"` // reason why the line was not written
}

func describeEdit(e monorepo.Edit) *createdEdit {
	if e.Line == "" {
		return nil
	}
	return &createdEdit{File: e.File, Line: e.Line, Left: e.Left}
}

// printRenovate says why there is no renovate.json.
func (g *globals) printRenovate(t project.Target) {
	if t.AtRoot == nil || !t.Service.WantsFile(spec.FileRenovate) {
		return
	}
	if other := project.OtherRenovate(t.AtRoot.Dir); other != "" {
		g.printf("Renovate is configured in %s; no renovate.json is written.\n\n", t.AtRoot.Named(other))
	}
}

// printShared lists the lines for shared files, and the advice about Renovate.
func (g *globals) printShared(t project.Target, s project.SharedEdits) {
	if t.AtRoot == nil {
		return
	}
	g.printRenovate(t)
	for _, edit := range []struct {
		monorepo.Edit
		what, missing, file string
	}{
		{s.Owners, "Code owners", "No code owner is set", "CODEOWNERS"},
		{s.GitLab, "GitLab include", "GitLab does not include the jobs", ".gitlab-ci.yml"},
	} {
		switch {
		case edit.Left != "":
			g.printf("%s, because %s. Add this line to %s:\n\n  %s\n\n", edit.missing, edit.Left, edit.file, edit.Line)
		case edit.File != "":
			g.printf("%s: %s in %s\n\n", edit.what, edit.Line, t.AtRoot.Named(edit.File))
		}
	}
}
