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

// ownersFiles are the CODEOWNERS files of forges, in the order in which they search. GitHub
// reads the first three, GitLab all but the first.
var ownersFiles = []string{newOwnersFile, "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}

// newOwnersFile is the file to create, which only GitHub reads.
const newOwnersFile = ".github/CODEOWNERS"

// Edit is a line in a file of the whole repository, and whether it is added.
type Edit struct {
	File   string // relative to the root; empty if no line is added
	Create bool   // the file does not exist yet
	Line   string // for users to complete and add if Left is set
	Left   string // reason why the line is left to users; empty otherwise

	root string
	was  []byte
	data []byte
	mode fs.FileMode
}

// PlanOwners plans the code owner line of a directory. The owner is any text from the spec; the
// organization is that of the forge, if known. A file is created only if create is set, which
// means that the forge reads it.
func PlanOwners(root, directory, owner, organization string, create bool) (Edit, error) {
	name, known := codeOwner(owner, organization)
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
		o.Left = file + " is not a regular file"
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

// find reads the first existing file, which is the one that the forge reads.
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

// ErrChanged reports that another program changed a file after the edit was planned.
var ErrChanged = errors.New("changed while scaffold ran")

// Write adds the line. It changes nothing else, and does not change a file that has changed
// since it was read.
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
	// A temporary file first, so that a full disk leaves the old lines.
	temporary := path.Join(path.Dir(o.File), "."+path.Base(o.File)+"."+strings.ToLower(rand.Text()[:8])+".new")
	if err := errors.Join(root.WriteFile(temporary, o.data, o.mode.Perm()), root.Chmod(temporary, o.mode.Perm())); err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return root.Rename(temporary, o.File)
}

var (
	// sections matches GitLab sections: a line after the last one would get the reviewers and
	// rules of that section.
	sections = regexp.MustCompile(`(?m)^\^?\[`)
	// forgeOwner matches one or more users or groups.
	forgeOwner = regexp.MustCompile(`^@[^\s@#]+( @[^\s@#]+)*$`)
	email      = regexp.MustCompile(`^[^\s@#]+@[^\s@#]+\.[^\s@#]+$`)
	team       = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]*$`)
)

// codeOwner returns the owner in the syntax of forges, and whether it is complete. Otherwise it
// has a placeholder for the organization.
func codeOwner(owner, organization string) (string, bool) {
	switch {
	case forgeOwner.MatchString(owner), email.MatchString(owner):
		return owner, true
	case team.MatchString(owner) && organization != "":
		return "@" + organization + "/" + owner, true
	case team.MatchString(owner):
		return "@ORGANIZATION/" + owner, false
	}
	return "@ORGANIZATION/TEAM", false
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// owns reports whether a line is for the directory, in any spelling.
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

// appendLine appends a line with the line ends of the file.
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
