package project

import (
	"bytes"
	"context"
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

// add plans what follows from the new name: files with the name in their path move, and imports of the module change.
// The error lists files of the user that cannot follow.
func (r *renaming) add(w *workspace.Workspace, request *workspace.Request) error {
	request.Moves = r.moves(w)
	request.Rewrite = r.rewrite
	var problems diagnostic.List
	edit := func(name string, src []byte) {
		if w.Recorded(name) {
			return
		}
		now, err := src, (*syntaxError)(nil)
		if path.Ext(name) == ".go" {
			now, err = r.imports(src)
		}
		if err != nil {
			problems = append(problems, diagnostic.Problem{File: filepath.ToSlash(filepath.Join(r.dir, name)), Line: err.at.Line, Column: err.at.Column, Message: err.text + "; correct it first, so that its imports can follow the new name"})
			return
		}
		to := r.path(name)
		if to != name {
			request.Moves[name] = to
		}
		if to != name || !bytes.Equal(now, src) {
			request.Edits = append(request.Edits, templates.File{Path: to, Mode: 0o644, Data: now, Owner: templates.UserOwned})
		}
	}
	if err := eachGoFile(r.dir, edit); err != nil {
		return err
	}
	if err := r.eachOtherFile(edit); err != nil {
		return err
	}
	return problems.Err()
}

// moves returns the new paths of files that scaffold wrote by the previous ones.
func (r *renaming) moves(w *workspace.Workspace) map[string]string {
	moves := map[string]string{}
	if r == nil {
		return moves
	}
	for _, name := range w.Paths() {
		if to := r.path(name); to != name {
			moves[name] = to
		}
	}
	return moves
}

// path returns a path with the new name instead of the previous one.
func (r *renaming) path(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if rest, found := strings.CutPrefix(part, r.before.Name); found && (rest == "" || strings.ContainsRune(".-_", rune(rest[0]))) {
			parts[i] = r.after.Name + rest
		}
	}
	if dir := parts[0]; dir == "migrations" || dir == "internal" { // they have the name of the resource, which stays
		return name
	}
	return strings.Join(parts, "/")
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
		from, to := files.Position(i.Path.Pos()).Offset, files.Position(i.Path.End()).Offset
		out = slices.Concat(out[:from], []byte(strconv.Quote(r.after.Module+rest)), out[to:])
	}
	return out, nil
}

// eachOtherFile calls use with the user's other files in the directory of the command, which moves. Files that git ignores stay.
func (r *renaming) eachOtherFile(use func(name string, src []byte)) error {
	dir := "cmd/" + r.before.Binary()
	if r.before.Name == r.after.Name {
		return nil
	}
	ignored := monorepo.IgnoredFiles(context.Background(), r.dir)
	err := fs.WalkDir(os.DirFS(r.dir), dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && slices.Contains(ignored, name+"/") {
			return fs.SkipDir
		}
		if err != nil || e.IsDir() || path.Ext(name) == ".go" || slices.Contains(ignored, name) {
			return err
		}
		if !e.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file; move it away, since %s moves", name, dir)
		}
		src, err := userfile.Read(filepath.Join(r.dir, filepath.FromSlash(name)), userfile.LargeLimit)
		if err == nil {
			use(name, src)
		}
		return err
	})
	if os.IsNotExist(err) {
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
