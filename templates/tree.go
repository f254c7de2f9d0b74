// Package templates renders the files of a service from its spec.
//
// Rendering is pure: no clock, disk or network, and the same spec results in the same bytes.
// The result is a [Tree]; the [Owner] of a [File] determines who may change it.
package templates

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/templates/component"
)

// Owner is who changes a file after it was created.
type Owner = component.Owner

// The owners of package component. The markers of [Block] files are [BlockBegin] and [BlockEnd].
const (
	Generated = component.Generated
	Merged    = component.Merged
	UserOwned = component.UserOwned
	Block     = component.Block
)

// Owners returns all owners, in the order of the documentation.
func Owners() []Owner { return []Owner{Generated, Merged, UserOwned, Block} }

// Markers of the generated part of a [Block] file, each on its own line. The first may have
// text before its closing `-->`.
const (
	BlockBegin = "<!-- scaffold:facts:begin"
	BlockEnd   = "<!-- scaffold:facts:end -->"
)

// File is one generated file.
type File struct {
	Path  string      // relative to the service, with forward slashes
	Mode  fs.FileMode // permission bits only
	Data  []byte
	Owner Owner
	// Was is the path of the file in older versions of scaffold. A file there moves, with the user's edits.
	Was string
}

// Tree is the files of one service, sorted by path without duplicates. Create it with
// [NewTree].
type Tree []File

// RenderOptions are facts about the generator and the machine. They are parameters so that
// rendering stays pure.
type RenderOptions struct {
	// Generator is the version of scaffold, such as v0.1.0; "devel" in a checkout.
	Generator string
	// RuntimeImport is the import path of the runtime module, which a fork may rename.
	RuntimeImport string
	// RuntimeVersion is the version that go.mod requires.
	RuntimeVersion string
	// RuntimeSum is the sum of that version in go.sum, h1:..., so that a new service builds
	// without a checksum lookup. If empty, the go tool adds it.
	RuntimeSum string
	// RuntimeReplace is the directory of the runtime relative to the service, with forward
	// slashes, for the replace line of go.mod; empty for a released generator.
	RuntimeReplace string
	// Signals is the last output of the service's telemetry command, empty for a new service.
	Signals []byte
	// Own is the user-owned rules and dashboards that the manifests deploy.
	Own Own
}

// Own is the rules and dashboards of the user in a service.
type Own struct {
	Groups     []string // YAML lists of rule groups
	Dashboards []OwnDashboard
	Metrics    []string // names of the series that the dashboards query
}

// OwnDashboard is a dashboard file of the user.
type OwnDashboard struct {
	Name string // unique, and valid in the name of a ConfigMap
	Path string // relative to observability
}

// NewTree sorts the files and validates the tree: clean relative paths that work on every
// system, no duplicate paths, no path that is both a file and a directory, known owners,
// permission bits only, and both markers in block files. The error contains every problem.
func NewTree(files ...File) (Tree, error) {
	t := slices.Clone(Tree(files))
	slices.SortFunc(t, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	var errs []error
	seen := make(map[string]string, len(t)) // lower-case path to path
	for _, f := range t {
		errs = append(errs, f.check())
		folded := strings.ToLower(f.Path)
		if other, twice := seen[folded]; twice {
			errs = append(errs, fmt.Errorf("%s: the tree already holds %s", f.Path, other))
		}
		seen[folded] = f.Path
	}
	for _, f := range t {
		for dir := path.Dir(strings.ToLower(f.Path)); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if other, isFile := seen[dir]; isFile {
				errs = append(errs, fmt.Errorf("%s: its directory is the file %s", f.Path, other))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// Find returns the file at the path.
func (t Tree) Find(name string) (File, bool) {
	i, ok := slices.BinarySearchFunc(t, name, func(f File, p string) int { return cmp.Compare(f.Path, p) })
	if !ok {
		return File{}, false
	}
	return t[i], true
}

func (f File) check() error {
	switch {
	case f.Path == "." || !fs.ValidPath(f.Path) || strings.TrimSpace(f.Path) != f.Path:
		return fmt.Errorf("%q: a path is relative, clean and uses forward slashes", f.Path)
	case strings.ContainsAny(f.Path, "\\:*?\"<>|\x00\r\n"):
		return fmt.Errorf("%q: a path holds no character that a file system refuses", f.Path)
	case f.Mode&^fs.ModePerm != 0 || f.Mode&0o400 == 0:
		return fmt.Errorf("%s: mode %v; use permission bits that let the owner read", f.Path, f.Mode)
	case !slices.Contains(Owners(), f.Owner):
		return fmt.Errorf("%s: unknown owner %q", f.Path, f.Owner)
	}
	if f.Owner == Block {
		if _, _, err := FindBlock(f.Data); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

// FindBlock returns the byte range of the generated part of a [Block] file, including both
// marker lines but not the last line end. The error names a missing, repeated or misplaced
// marker.
func FindBlock(data []byte) (begin, end int, err error) {
	begin, end = -1, -1
	offset := 0
	for line := range strings.Lines(string(data)) {
		text := strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(text, BlockBegin) && strings.HasSuffix(text, "-->"):
			if begin >= 0 {
				return 0, 0, errors.New("the marker " + BlockBegin + " appears twice; remove one")
			}
			begin = offset
		case text == BlockEnd:
			if end >= 0 {
				return 0, 0, errors.New("the marker " + BlockEnd + " appears twice; remove one")
			}
			end = offset + len(text)
		}
		offset += len(line)
	}
	switch {
	case begin < 0:
		return 0, 0, errors.New("the marker " + BlockBegin + " … --> is missing")
	case end < 0:
		return 0, 0, errors.New("the marker " + BlockEnd + " is missing")
	case end < begin:
		return 0, 0, errors.New("the markers of the block are in the wrong order")
	}
	return begin, end, nil
}
