package project

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
)

// stillUsed finds imports in the user's code of packages that only the removed parts of the service import: they are
// removed, or go.mod no longer requires them.
func stillUsed(w *workspace.Workspace, t Target) (diagnostic.List, error) {
	dropped := droppedImports(w, t)
	if len(dropped) == 0 {
		return nil, nil
	}
	changes := map[string]workspace.Diff{}
	for _, d := range t.Plan.Diffs() {
		changes[d.Path] = d
	}
	var found diagnostic.List
	ignored, err := monorepo.IgnoredFiles(context.Background(), t.Dir)
	if err != nil {
		return nil, err
	}
	err = eachGoFile(t.Dir, ignored, func(name string, src []byte) {
		if d, changed := changes[name]; changed && d.Action != workspace.Edited {
			if d.After == nil || d.Action == workspace.Unmerged {
				return
			}
			src = d.After
		}
		for _, i := range importsOf(src) {
			if dropped[i.path] {
				advice := "your code imports %s, which the service would no longer have; first remove what uses it"
				if w.Recorded(name) {
					advice = "this file has your edits and imports %s, which the service would no longer have; first delete it, or undo the edits"
				}
				found = append(found, diagnostic.Problem{
					File: filepath.ToSlash(filepath.Join(t.Dir, name)), Line: i.at.Line, Column: i.at.Column, Message: fmt.Sprintf(advice, i.path),
				})
			}
		}
	})
	return found, err
}

// droppedImports returns the packages that the files of the last run import and those of this one do not.
func droppedImports(w *workspace.Workspace, t Target) map[string]bool {
	dropped := map[string]bool{}
	for name, src := range w.Bases() {
		if path.Ext(name) != ".go" {
			continue
		}
		for _, i := range importsOf(src) {
			dropped[i.path] = strings.Contains(strings.Split(i.path, "/")[0], ".") || strings.HasPrefix(i.path, t.Service.Module+"/")
		}
	}
	for _, f := range t.Tree {
		if path.Ext(f.Path) == ".go" {
			for _, i := range importsOf(f.Data) {
				delete(dropped, i.path)
			}
		}
	}
	for name, isModule := range dropped {
		if !isModule { // of the standard library
			delete(dropped, name)
		}
	}
	return dropped
}

// importSpec is an import of a Go file.
type importSpec struct {
	path string
	at   token.Position
}

// importsOf returns the imports of a Go file, those before a syntax error if it has one.
func importsOf(src []byte) []importSpec {
	files := token.NewFileSet()
	parsed, _ := parser.ParseFile(files, "", src, parser.ImportsOnly)
	if parsed == nil {
		return nil
	}
	var out []importSpec
	for _, i := range parsed.Imports {
		if name, err := strconv.Unquote(i.Path.Value); err == nil {
			out = append(out, importSpec{name, files.Position(i.Pos())})
		}
	}
	return out
}

// eachGoFile calls use with each Go file of the service's module that git does not ignore.
func eachGoFile(dir string, ignored []string, use func(name string, src []byte)) error {
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains(ignored, name+"/"):
			return fs.SkipDir
		case slices.Contains(ignored, name):
			return nil
		case e.IsDir() && name != ".":
			hidden := strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_")
			if hidden || monorepo.Skips(e.Name()) || slices.Contains([]string{"vendor", "testdata"}, e.Name()) || fileExists(filepath.Join(dir, name, "go.mod")) {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular() || path.Ext(name) != ".go":
			return nil
		}
		src, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(name)), userfile.LargeLimit)
		if err == nil {
			use(name, src)
		}
		return err
	})
}
