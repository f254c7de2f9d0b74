// Package monorepo finds the services in a repository, and names that several of them use: a
// Prometheus or a Grafana that loads both would show only one.
package monorepo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/templates/spec"
)

// Root returns the root of the git repository that contains dir.
func Root(dir string) (string, bool) {
	return upward(dir, ".git")
}

// ServiceAround returns the directory of the service that contains dir, except dir itself.
func ServiceAround(dir string) (string, bool) {
	return upward(filepath.Dir(dir), spec.FileName)
}

func upward(dir, name string) (string, bool) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, name)); err == nil {
			return at, true
		}
		if at == filepath.Dir(at) {
			return "", false
		}
	}
}

// Service is a service of a repository.
type Service struct {
	Dir  string // relative to the root, with forward slashes; "." is the root itself
	Name string // from the spec; empty if the spec cannot be read
}

// Services lists all directories below root with a spec, sorted. It skips hidden directories,
// since a scaffold that was killed leaves one, and directories that git ignores. Without git it
// skips directories of dependencies, too.
func Services(ctx context.Context, root string) ([]Service, error) {
	if listed, err := Git(ctx, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", spec.FileName, "*/"+spec.FileName); err == nil {
		var found []Service
		for file := range strings.SplitSeq(strings.TrimSuffix(listed, "\x00"), "\x00") {
			if name := filepath.Join(root, filepath.FromSlash(file)); !strings.Contains("/"+file, "/.") && isFile(name) {
				found = append(found, Service{Dir: path.Dir(file), Name: nameIn(name)})
			}
		}
		slices.SortFunc(found, func(a, b Service) int { return strings.Compare(a.Dir, b.Dir) })
		return found, nil
	}
	return walk(root)
}

// Ignored reports whether git ignores the directory, which need not exist.
func Ignored(ctx context.Context, root, dir string) bool {
	_, err := Git(ctx, root, "check-ignore", "--quiet", "--", dir+string(filepath.Separator))
	return err == nil
}

// IgnoredFiles returns the files below dir that git ignores, relative to it and with forward slashes. Directories end in a
// slash. Outside of a repository there are none.
func IgnoredFiles(ctx context.Context, dir string) ([]string, error) {
	listed, err := Within(ctx, dir, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
	if err != nil || listed == "" {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(listed, "\x00"), "\x00"), nil
}

// gitLimit is the longest time of a git command that lists files.
const gitLimit = 30 * time.Second

// Within is [Git] in a repository. It returns nothing if dir is in none. The error has what git wrote to stderr.
func Within(ctx context.Context, dir string, args ...string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if _, found := Root(at); !found {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, gitLimit)
	defer cancel()
	out, err := Git(ctx, dir, args...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w", args[0], dir, err)
	}
	return out, nil
}

// Git runs the installed git, which finds its own configuration, and returns its output without
// the last line feed. No command here uses the network.
func Git(ctx context.Context, dir string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = dir
	out, err := command.Output()
	return strings.TrimSuffix(string(out), "\n"), err
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func walk(root string) ([]Service, error) {
	var found []Service
	err := fs.WalkDir(os.DirFS(root), ".", func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if entry != nil && entry.IsDir() && errors.Is(err, fs.ErrPermission) {
				return fs.SkipDir // an unreadable directory is not ours
			}
			return err
		case entry.IsDir() && at != "." && Skips(entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular() && entry.Name() == spec.FileName:
			found = append(found, Service{Dir: path.Dir(at), Name: nameIn(filepath.Join(root, filepath.FromSlash(at)))})
		}
		return nil
	})
	return found, err
}

// Skips reports whether a directory of that name contains no services, rules or dashboards of a
// repository: hidden directories, and those that other programs fill.
func Skips(directory string) bool {
	return strings.HasPrefix(directory, ".") || slices.Contains([]string{"vendor", "node_modules", "testdata", "bin"}, directory)
}

// nameIn reads only the name; the check of the spec reports other problems.
func nameIn(file string) string {
	var s struct {
		Service string `yaml:"service"`
	}
	src, err := userfile.Read(file, userfile.Limit)
	if err != nil || yamldoc.Bounded(src) != nil || yaml.Unmarshal(src, &s) != nil {
		return ""
	}
	return s.Service
}

// Clash is a name in two files of different services.
type Clash struct {
	What, Name    string // such as rule group, orders-slo-page
	First, Second string // files, relative to the root
}

func (c Clash) String() string {
	return fmt.Sprintf("the %s %s is that of %s, too; rename one of them", c.What, c.Name, c.First)
}

// Clashes finds names that several services use: service names, rule files and groups, and the
// uids of dashboards. The check of each service reports unreadable files.
func Clashes(root string, services []Service) []Clash {
	type key struct{ what, name string }
	type owner struct{ service, file string }
	seen := map[key]owner{}
	var clashes []Clash
	claim := func(s Service, what, name, file string) {
		if name == "" {
			return
		}
		first, taken := seen[key{what, name}]
		if !taken {
			seen[key{what, name}] = owner{s.Dir, file}
			return
		}
		if first.service != s.Dir {
			clashes = append(clashes, Clash{what, name, first.file, file})
		}
	}
	for _, s := range services {
		claim(s, "service", s.Name, path.Join(s.Dir, spec.FileName))
		for _, file := range below(root, path.Join(s.Dir, "observability/rules")) {
			claim(s, "rule file", path.Base(file), file)
			for _, group := range groupsIn(root, file) {
				claim(s, "rule group", group, file)
			}
		}
		for _, file := range below(root, path.Join(s.Dir, "observability/dashboards")) {
			claim(s, "uid", uidIn(root, file), file)
		}
	}
	return clashes
}

// below lists the files in a directory, recursively.
func below(root, dir string) []string {
	var files []string
	_ = fs.WalkDir(os.DirFS(root), dir, func(at string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, at)
		}
		return nil
	})
	return files
}

func groupsIn(root, file string) []string {
	src, err := userfile.Read(filepath.Join(root, filepath.FromSlash(file)), userfile.LargeLimit)
	if err != nil || rulefile.IsTest(file) || path.Ext(file) != ".yaml" && path.Ext(file) != ".yml" {
		return nil
	}
	rules, _ := rulefile.Parse(file, src) // the check of the service reports its errors
	var names []string
	for _, g := range rules.Groups {
		names = append(names, g.Name)
	}
	return names
}

func uidIn(root, file string) string {
	var dashboard struct {
		UID string `json:"uid"`
	}
	src, err := userfile.Read(filepath.Join(root, filepath.FromSlash(file)), userfile.LargeLimit)
	if err != nil || json.NewDecoder(bytes.NewReader(src)).Decode(&dashboard) != nil {
		return ""
	}
	return dashboard.UID
}
