// Package merge unites what two sides changed in a file since their common base: the user, and a newer scaffold or
// another scaffold.yaml. It needs git.
package merge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"
)

// Sides are the three versions of a file. Line ends are those of each version.
type Sides struct {
	Base []byte // as scaffold wrote it last; nil if that is lost: then every difference is a conflict
	Mine []byte // on disk
	New  []byte // as scaffold would write it now
}

// Result is a merged file.
type Result struct {
	Data []byte
	// Conflicts means that both sides changed the same part. In a text, Data has both between markers; in any other
	// file, Data is the user's.
	Conflicts bool
}

// within limits a run of git. Merges take milliseconds; a git that hangs is broken.
const within = 30 * time.Second

// Names of the sides in conflict markers.
const (
	nameMine = "yours"
	nameBase = "as scaffold wrote it last"
	nameNew  = "new from scaffold"
)

// File merges the sides of a file. Its name tells the format: go.mod, go.sum and imports of Go files are merged by their
// structure, everything else as text. YAML whose lines conflict is merged by its values. JSON that would not be valid
// afterwards is a conflict, and a binary file with changes on both sides is.
func File(name string, s Sides) (Result, error) {
	switch {
	case bytes.Equal(s.Mine, s.Base), bytes.Equal(s.Mine, s.New):
		return Result{Data: s.New}, nil
	case bytes.Equal(s.New, s.Base):
		return Result{Data: s.Mine}, nil
	}
	switch base := path.Base(name); {
	case base == "go.mod":
		data, err := module(name, s)
		return Result{Data: data}, err
	case base == "go.sum":
		return Result{Data: sums(s)}, nil
	case slices.ContainsFunc([][]byte{s.Base, s.Mine, s.New}, isBinary):
		return Result{Data: s.Mine, Conflicts: true}, nil
	}
	r, err := text(s)
	if err != nil {
		return Result{}, err
	}
	switch ext := path.Ext(name); {
	case ext == ".json" && (r.Conflicts || !json.Valid(r.Data)):
		return Result{Data: s.Mine, Conflicts: true}, nil
	case !r.Conflicts:
	case ext == ".go":
		r.Data, r.Conflicts = mergeImports(withoutCR(r.Data))
		r.Data = withEnds(r.Data, s.Mine)
	case ext == ".yaml", ext == ".yml":
		if data, ok := byNode(name, s); ok {
			return Result{Data: data}, nil
		}
	}
	return r, nil
}

// Marks reports whether conflicts in the file are between markers. In JSON and binary files, they would damage it.
func Marks(name string, data []byte) bool { return path.Ext(name) != ".json" && !isBinary(data) }

// isBinary reports whether conflict markers would damage the file.
func isBinary(data []byte) bool { return bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) }

// text merges lines with git merge-file. The result has the line ends of the user's version.
func text(s Sides) (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	dir, err := os.MkdirTemp("", "scaffold-merge-")
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	names := []string{"mine", "base", "new"}
	for i, data := range [][]byte{s.Mine, s.Base, s.New} {
		names[i] = filepath.Join(dir, names[i])
		if err := os.WriteFile(names[i], withoutCR(data), 0o600); err != nil {
			return Result{}, err
		}
	}
	var out, problem bytes.Buffer
	args := []string{"merge-file", "--stdout", "-L", nameMine, "-L", nameBase, "-L", nameNew}
	if s.Base != nil {
		args = append(args, "--diff3")
	}
	args = append(args, names...)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &problem
	// Settings of the user, such as merge.conflictStyle, must not change the result.
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	err = cmd.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	const mostConflicts = 127 // exit statuses up to this one are numbers of conflicts
	conflicts := ended && exit.ExitCode() > 0 && exit.ExitCode() <= mostConflicts
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return Result{}, errors.New("git is not installed, and merges need it; install git")
	case err != nil && !conflicts:
		return Result{}, fmt.Errorf("git merge-file: %w\n%s", err, bytes.TrimSpace(problem.Bytes()))
	}
	return Result{Data: withEnds(out.Bytes(), s.Mine), Conflicts: conflicts}, nil
}

// withEnds returns the text with the line ends of another one.
func withEnds(text, other []byte) []byte {
	if bytes.Contains(other, []byte("\r\n")) {
		return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text
}

func withoutCR(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }

// Marked returns the line of the first conflict marker in a text, 0 without one. The markers are those of this package
// and of git: a line of seven equal signs alone, as below a heading, is none.
func Marked(data []byte) int {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("<<<<<<< ")) || bytes.HasPrefix(line, []byte(">>>>>>> ")) {
			return i + 1
		}
	}
	return 0
}
