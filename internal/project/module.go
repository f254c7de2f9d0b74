package project

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates/spec"
)

// ModuleFor proposes the module path of a service in dir: the remote of the repository that
// contains dir, and the path from its root to dir. It returns "" without such a remote.
func ModuleFor(ctx context.Context, dir string) string {
	at := existing(dir)
	remote, err := monorepo.Git(ctx, at, "config", "--get", "remote.origin.url")
	if err != nil {
		return ""
	}
	top, err := monorepo.Git(ctx, at, "rev-parse", "--show-toplevel")
	if err != nil {
		return ""
	}
	below, err := filepath.Rel(resolved(top), resolved(dir))
	if err != nil {
		return ""
	}
	module := path.Join(moduleOfRemote(remote), filepath.ToSlash(below))
	if spec.CheckModule(module) != nil {
		return ""
	}
	return module
}

// moduleOfRemote turns git@host:path, ssh://, https:// and git:// addresses into a module path,
// and anything else into "".
func moduleOfRemote(remote string) string {
	host, repository, found := strings.Cut(remote, ":")
	if strings.Contains(remote, "://") {
		u, err := url.Parse(remote)
		if err != nil {
			return ""
		}
		host, repository, found = u.Hostname(), u.Path, u.Hostname() != ""
	} else if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if !found {
		return ""
	}
	return strings.ToLower(host) + "/" + strings.TrimSuffix(strings.Trim(repository, "/"), ".git")
}

// existing returns the directory, or the nearest directory above it that exists.
func existing(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "."
	}
	for {
		if _, err := os.Stat(absolute); err == nil || absolute == filepath.Dir(absolute) {
			return absolute
		}
		absolute = filepath.Dir(absolute)
	}
}

// resolved resolves symbolic links in the part of the path that exists: relative paths are only
// correct between real paths.
func resolved(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	base := existing(dir)
	place, err := filepath.EvalSymlinks(base)
	if err != nil {
		return absolute
	}
	rest, err := filepath.Rel(base, absolute)
	if err != nil {
		return absolute
	}
	return filepath.Join(place, rest)
}

// ModuleDirectory returns the nearest directory upward from dir with a go.mod: a service may be
// part of a larger module.
func ModuleDirectory(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := start; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("there is no go.mod in %s or above; run this in the module of the binary", dir)
		}
	}
}

// ReadModule reads the go.mod in dir; it returns nil if there is none.
func ReadModule(dir string) (*modfile.File, error) {
	src, err := userfile.ReadOptional(filepath.Join(dir, "go.mod"), userfile.LargeLimit)
	if err != nil || src == nil {
		return nil, err
	}
	return parseModule("go.mod", src)
}
