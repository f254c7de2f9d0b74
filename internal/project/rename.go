package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// renaming is a service with a new name or module.
type renaming struct {
	dir           string
	before, after spec.Service
}

// command returns the directory of the service's command, which moves.
func command(s spec.Service) string { return "cmd/" + s.Binary() }

// add plans what follows from the new name in the user's own files: those in the directory of the command move, and imports
// of the module change. The error lists files that cannot follow.
func (r *renaming) add(w *workspace.Workspace, request *workspace.Request) error {
	request.Moves, request.Rewrite = map[string]string{}, r.rewrite
	ignored, err := monorepo.IgnoredFiles(context.Background(), r.dir)
	if err != nil {
		return err
	}
	var problems diagnostic.List
	edit := func(name string, f userFile) {
		if w.Recorded(name) {
			return
		}
		now, err := r.imports(f.data)
		if path.Ext(name) != ".go" || err != nil && !bytes.Contains(f.data, []byte(r.before.Module)) {
			now, err = f.data, nil // not Go, or a template
		}
		if err != nil {
			problems = append(problems, diagnostic.Problem{File: filepath.ToSlash(filepath.Join(r.dir, name)), Line: err.at.Line, Column: err.at.Column, Message: err.text + "; correct it first, so that its imports can follow the new name"})
			return
		}
		to := name
		if rest, found := strings.CutPrefix(name, command(r.before)+"/"); found && r.before.Binary() != r.after.Binary() {
			to = command(r.after) + "/" + rest
			request.Moves[name] = to
		}
		if to != name || !bytes.Equal(now, f.data) {
			request.Edits = append(request.Edits, templates.File{Path: to, Mode: f.mode, Data: now, Owner: templates.UserOwned})
		}
	}
	if err := r.eachInCommand(ignored, edit); err != nil {
		return err
	}
	err = eachGoFile(r.dir, ignored, func(name string, src []byte) {
		if !strings.HasPrefix(name, command(r.before)+"/") || r.before.Binary() == r.after.Binary() {
			edit(name, userFile{src, 0o644})
		}
	})
	return errors.Join(err, problems.Err())
}

// userFile is a file that scaffold did not write.
type userFile struct {
	data []byte
	mode fs.FileMode
}

// moves returns the new paths of files that scaffold wrote by the previous ones: those in the tree that differ in the name.
func (r *renaming) moves(w *workspace.Workspace, tree templates.Tree) map[string]string {
	moves := map[string]string{}
	if r == nil {
		return moves
	}
	for _, name := range w.Paths() {
		if _, stays := tree.Find(name); stays {
			continue
		}
		for _, to := range r.renamed(strings.Split(name, "/")) {
			if _, found := tree.Find(to); found && !w.Recorded(to) {
				moves[name] = to
				break
			}
		}
	}
	return moves
}

// renamed returns a path with the new name instead of the previous one at the beginning of some of its parts, in all ways.
func (r *renaming) renamed(parts []string) []string {
	if len(parts) == 0 {
		return []string{""}
	}
	first := []string{parts[0]}
	if rest, found := strings.CutPrefix(parts[0], r.before.Name); found {
		first = append(first, r.after.Name+rest)
	}
	var out []string
	for _, rest := range r.renamed(parts[1:]) {
		for _, part := range first {
			out = append(out, path.Join(part, rest))
		}
	}
	return out
}

// rewrite changes the imports of a Go file, if it can be read.
func (r *renaming) rewrite(name string, data []byte) []byte {
	if path.Ext(name) != ".go" {
		return data
	}
	now, err := r.imports(data)
	if err != nil {
		return data
	}
	return now
}

// syntaxError is where a Go file cannot be read.
type syntaxError struct {
	at   token.Position
	text string
}

// imports returns a Go file with imports of the new module instead of the previous one.
func (r *renaming) imports(src []byte) ([]byte, *syntaxError) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, "", src, parser.ImportsOnly)
	if err != nil {
		at, text, _ := strings.Cut(err.Error(), ": ")
		line, column, _ := strings.Cut(at, ":")
		n, _ := strconv.Atoi(line)
		c, _ := strconv.Atoi(column)
		return nil, &syntaxError{token.Position{Line: n, Column: c}, text}
	}
	out := slices.Clone(src)
	for _, i := range slices.Backward(parsed.Imports) {
		name, err := strconv.Unquote(i.Path.Value)
		rest, found := strings.CutPrefix(name, r.before.Module)
		if err != nil || !found || rest != "" && rest[0] != '/' {
			continue
		}
		if below, found := strings.CutPrefix(rest, "/"+command(r.before)+"/"); found {
			rest = "/" + command(r.after) + "/" + below
		}
		from, to := files.Position(i.Path.Pos()).Offset, files.Position(i.Path.End()).Offset
		out = slices.Concat(out[:from], []byte(strconv.Quote(r.after.Module+rest)), out[to:])
	}
	return out, nil
}

// eachInCommand calls use with all files in the directory of the command, which moves, but for those that git ignores. Only
// scaffold's own may be in the directory with the new name.
func (r *renaming) eachInCommand(ignored []string, use func(name string, f userFile)) error {
	if r.before.Binary() == r.after.Binary() {
		return nil
	}
	if there, _ := os.ReadDir(filepath.Join(r.dir, filepath.FromSlash(command(r.after)))); len(there) > 0 {
		return fmt.Errorf("%s exists, and %s moves there; move it away, or choose another name", command(r.after), command(r.before))
	}
	err := fs.WalkDir(os.DirFS(r.dir), command(r.before), func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains(ignored, name+"/"):
			return fs.SkipDir
		case e.IsDir(), slices.Contains(ignored, name):
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is not a regular file, and %s moves; move it away", name, command(r.before))
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		src, err := userfile.Read(filepath.Join(r.dir, filepath.FromSlash(name)), userfile.LargeLimit)
		if err != nil {
			return fmt.Errorf("%w; %s moves with all its files, so move this one away", err, command(r.before))
		}
		use(name, userFile{src, info.Mode().Perm()})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Mention is a line in a file of the user with the previous name of a renamed service.
type Mention struct {
	Path string `json:"path"`
	Line int    `json:"line"`
}

// Mentions returns the lines with the previous name in the user's own rules, dashboards, manifests and requests, which a
// rename does not change.
func (t Target) Mentions() ([]Mention, error) {
	if t.renaming == nil || t.renaming.before.Name == t.renaming.after.Name {
		return nil, nil
	}
	word := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(t.renaming.before.Name) + `\b`)
	changed := map[string]bool{}
	for _, d := range t.Plan.Diffs() {
		changed[d.Path] = d.After == nil || d.Owner != templates.UserOwned
	}
	var out []Mention
	for _, dir := range []string{"observability/rules/own", "observability/dashboards/own", "deploy"} {
		err := eachOwn(t.Dir, dir, []string{".yaml", ".yml", ".json", ".tf"}, func(name string, src []byte) {
			if _, generated := t.Tree.Find(name); generated || changed[name] {
				return
			}
			for i, line := range bytes.Split(src, []byte("\n")) {
				if word.Match(line) {
					out = append(out, Mention{name, i + 1})
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
