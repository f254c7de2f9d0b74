// Package merge unites what two sides changed in a file since their common base: the user, and a newer scaffold or
// another scaffold.yaml. It needs git.
package merge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
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

	markMine = "<<<<<<< " + nameMine
	markBase = "||||||| " + nameBase
	markNew  = ">>>>>>> " + nameNew
)

// File merges the sides of a file. Its name is the format: go.mod, go.sum and imports of Go files are merged by their
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
		return Result{Data: withEnds(data, s.Mine)}, err
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
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, &out, &problem, time.Second
	// Settings of the user, such as merge.conflictStyle, must not change the result.
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	err = cmd.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	const mostConflicts = 127 // exit statuses up to this one are numbers of conflicts
	conflicts := ended && exit.ExitCode() > 0 && exit.ExitCode() <= mostConflicts
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return Result{}, errors.New("git is not installed, and merges need it; install git")
	case err != nil && !conflicts, !isMerge(out.Bytes(), s, conflicts):
		return Result{}, fmt.Errorf("git merge-file does not merge: %w; check that git works, and run the command again\n%s", cmp.Or(err, errNoMerge), bytes.TrimSpace(problem.Bytes()))
	}
	return Result{Data: withEnds(out.Bytes(), s.Mine), Conflicts: conflicts}, nil
}

// errNoMerge is the reason if git ends well with another text.
var errNoMerge = errors.New("its output is not a merge")

// isMerge reports whether a text is a merge: it has markers only with conflicts, all lines of each side that the other one
// did not remove, and no others. A program that only takes the place of git would otherwise empty files.
func isMerge(text []byte, s Sides, conflicts bool) bool {
	if bytes.Contains(text, []byte(markMine+"\n")) != conflicts || bytes.Contains(text, []byte(markNew)) != conflicts {
		return slices.ContainsFunc([][]byte{s.Mine, s.New}, func(side []byte) bool { return bytes.Contains(side, []byte(markMine)) })
	}
	mine, base, next, out := lineSet(s.Mine), lineSet(s.Base), lineSet(s.New), lineSet(text)
	for line := range mine {
		if !out[line] && !base[line] {
			return false
		}
	}
	for line := range next {
		if !out[line] && !base[line] {
			return false
		}
	}
	marks := map[string]bool{markMine: true, markBase: true, "=======": true, markNew: true}
	for line := range out {
		if !mine[line] && !base[line] && !next[line] && !marks[line] {
			return false
		}
	}
	return true
}

func lineSet(text []byte) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(string(withoutCR(text))) {
		set[strings.TrimSuffix(line, "\n")] = true
	}
	return set
}

// withEnds returns the text with the line ends of another one.
func withEnds(text, other []byte) []byte { return WithEnds(withoutCR(text), other) }

// WithEnds returns a text with line feeds with the line ends that most lines of another one have.
func WithEnds(text, other []byte) []byte {
	crlf := bytes.Count(other, []byte("\r\n"))
	if 2*crlf > bytes.Count(other, []byte("\n")) && !bytes.Contains(text, []byte("\r\n")) {
		return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text
}

func withoutCR(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }

// Marked returns the line of the first conflict marker in a text, 0 without one: a marker of this package, or the first one
// of a conflict that git left. Other lines like them, such as seven equal signs below a heading, are none.
func Marked(data []byte) int {
	begin, equal := 0, false
	for i, line := range bytes.Split(withoutCR(data), []byte("\n")) {
		switch text := string(line); {
		case text == markMine, text == markBase, text == markNew:
			return max(1, cmp.Or(begin, i+1))
		case strings.HasPrefix(text, "<<<<<<< "):
			begin, equal = i+1, false
		case text == "=======":
			equal = begin > 0
		case strings.HasPrefix(text, ">>>>>>> ") && equal:
			return begin
		}
	}
	return 0
}
