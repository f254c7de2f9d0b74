package monorepo

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// ownersFiles are where forges look for owners of code, in the order in which
// they do. GitHub reads the first three, GitLab all but the first.
var ownersFiles = []string{newOwnersFile, "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}

// newOwnersFile is the one to begin, which GitHub alone reads.
const newOwnersFile = ".github/CODEOWNERS"

// Edit is a line in a file at the root of a repository that belongs to all of
// its services, and what becomes of the line.
type Edit struct {
	File   string // below the root, to which the line is added; empty when nothing is
	Create bool   // the file does not exist yet
	Line   string // for people to add, and to complete, when Left says so
	Left   string // why the line was left to people; empty when it was not

	root string
	was  []byte
	data []byte
	mode fs.FileMode
}

// PlanOwners finds out what giving the directory an owner takes. The owner is that
// of a spec, any text; the organisation is that of the forge, if it is known. A
// file is begun only where create says that the forge would read it.
func PlanOwners(root, directory, owner, organisation string, create bool) (Edit, error) {
	name, known := codeOwner(owner, organisation)
	o := Edit{root: root, Line: "/" + directory + "/ " + name, mode: 0o644}
	file, err := o.find(ownersFiles...)
	switch {
	case err != nil:
		return Edit{}, err
	case owns(o.was, directory):
		return Edit{}, nil
	case !known:
		o.Left = "the forge's name of " + oneLine(owner) + " is not known"
	case file == "" && !create:
		o.Left = "there is no CODEOWNERS"
	case !o.mode.IsRegular():
		o.Left = file + " is no regular file"
	case sections.Match(o.was):
		o.Left = file + " has sections"
	default:
		o.Create, o.File = file == "", file
		if o.Create {
			o.File = newOwnersFile
		}
		o.data = appendLine(o.was, o.Line)
	}
	return o, nil
}

// find reads the first of the files that there is, which is the one that the
// forge reads.
func (o *Edit) find(files ...string) (string, error) {
	for _, file := range files {
		name := filepath.Join(o.root, filepath.FromSlash(file))
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		o.mode = info.Mode()
		if o.mode.IsRegular() {
			o.was, err = userfile.Read(name, userfile.Limit)
		}
		return file, err
	}
	return "", nil
}

// ErrChanged is the error of a file that another program changed after the edit was planned.
var ErrChanged = errors.New("changed while scaffold ran")

// Write adds the line. Nothing else in the file changes, and a file that
// changed since it was looked at is left alone.
func (o *Edit) Write() (err error) {
	if o.File == "" {
		return nil
	}
	root, err := os.OpenRoot(o.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	now, err := userfile.ReadFS(root.FS(), o.File, userfile.Limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(now, o.was) || (err == nil) == o.Create {
		return fmt.Errorf("%s %w; add %q yourself", o.File, ErrChanged, o.Line)
	}
	if err := root.MkdirAll(path.Dir(o.File), 0o755); err != nil {
		return err
	}
	// Beside it first, so that a full disk leaves the old lines.
	temporary := path.Join(path.Dir(o.File), "."+path.Base(o.File)+"."+strings.ToLower(rand.Text()[:8])+".new")
	if err := errors.Join(root.WriteFile(temporary, o.data, o.mode.Perm()), root.Chmod(temporary, o.mode.Perm())); err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return root.Rename(temporary, o.File)
}

var (
	// sections are GitLab's: a line behind the last would have reviewers and rules
	// of that section.
	sections = regexp.MustCompile(`(?m)^\^?\[`)
	// forgeOwner is one user or group, or several.
	forgeOwner = regexp.MustCompile(`^@[^\s@#]+( @[^\s@#]+)*$`)
	email      = regexp.MustCompile(`^[^\s@#]+@[^\s@#]+\.[^\s@#]+$`)
	team       = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]*$`)
)

// codeOwner is the owner as forges write it, and whether that is known; else it
// shows where the name of the organisation belongs.
func codeOwner(owner, organisation string) (string, bool) {
	switch {
	case forgeOwner.MatchString(owner), email.MatchString(owner):
		return owner, true
	case team.MatchString(owner) && organisation != "":
		return "@" + organisation + "/" + owner, true
	case team.MatchString(owner):
		return "@ORGANISATION/" + owner, false
	}
	return "@ORGANISATION/TEAM", false
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// owns says whether a line is about that directory, however it is spelled.
func owns(file []byte, directory string) bool {
	for line := range strings.Lines(string(file)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		pattern := strings.TrimPrefix(fields[0], "/")
		for _, ending := range []string{"**", "*", "/"} {
			pattern = strings.TrimSuffix(pattern, ending)
		}
		if pattern == directory {
			return true
		}
	}
	return false
}

// appendLine ends lines as the file does.
func appendLine(file []byte, line string) []byte {
	ending := "\n"
	if bytes.Contains(file, []byte("\r\n")) {
		ending = "\r\n"
	}
	out := bytes.Clone(file)
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, ending...)
	}
	return append(out, line+ending...)
}
