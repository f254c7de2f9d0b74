// Package merge unites what two sides changed in a file since their common base: the user, and a newer scaffold or
// another scaffold.yaml. It needs git.
package merge

import (
	"bytes"
	"context"
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
	Base []byte // as scaffold wrote it last
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

// File merges the sides of a file. Its name is the format: go.mod and go.sum are merged by their structure, JSON is
// merged only if one side is unchanged, everything else as text. YAML whose lines conflict is merged by its values.
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
	case path.Ext(name) == ".json" || slices.ContainsFunc([][]byte{s.Base, s.Mine, s.New}, isBinary):
		return Result{Data: s.Mine, Conflicts: true}, nil
	}
	r, err := text(s)
	if ext := path.Ext(name); err == nil && r.Conflicts && (ext == ".yaml" || ext == ".yml") {
		if data, ok := byNode(name, s); ok {
			return Result{Data: data}, nil
		}
	}
	return r, err
}

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
	args := append([]string{"merge-file", "--stdout", "--diff3", "-L", nameMine, "-L", nameBase, "-L", nameNew}, names...)
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
	data := out.Bytes()
	if bytes.Contains(s.Mine, []byte("\r\n")) {
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	}
	return Result{Data: data, Conflicts: conflicts}, nil
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
