package postgrestest

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
)

// ErrNotFound means that PostgreSQL server binaries are not installed. The error that wraps it
// has the command that installs them.
var ErrNotFound = errors.New("PostgreSQL server not found")

// notFound is ErrNotFound with the command to install it.
type notFound struct{ install string }

func (e notFound) Error() string {
	return ErrNotFound.Error() + " (initdb and postgres are neither in PATH nor in the directories of distributions); install it with: " + e.install
}

func (e notFound) Unwrap() error { return ErrNotFound }

type binaries string

func (b binaries) path(name string) string { return filepath.Join(string(b), name) }

// find returns the binaries in PATH, or else those in the directories of distributions, newest
// first.
func find() (binaries, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil && complete(filepath.Dir(initdb)) {
		return binaries(filepath.Dir(initdb)), nil
	}
	for _, dir := range installed(distributions()) {
		if complete(dir) {
			return binaries(dir), nil
		}
	}
	return "", notFound{installCommand()}
}

// distributions lists the directories of Debian and Ubuntu, of PostgreSQL's own packages for Red
// Hat, of Alpine, and of Homebrew.
func distributions() []string {
	return []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql@*/bin", "/opt/homebrew/opt/postgresql/bin",
		"/usr/local/opt/postgresql@*/bin", "/usr/local/opt/postgresql/bin", "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	}
}

// installed lists the matching directories, newest version first.
func installed(patterns []string) []string {
	var dirs []string
	for _, p := range patterns {
		matches, err := filepath.Glob(p)
		if err == nil { // the patterns are valid
			dirs = append(dirs, matches...)
		}
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	return dirs
}

// version returns the major version in the name of a directory, or 0.
func version(dir string) int {
	digits := func(r rune) bool { return r < '0' || r > '9' }
	best := 0
	for part := range strings.SplitSeq(dir, "/") {
		if n, err := strconv.Atoi(strings.Trim(strings.TrimLeftFunc(part, digits), ".")); err == nil {
			best = n
		} else if major, _, found := strings.Cut(strings.TrimLeftFunc(part, digits), "."); found {
			best, _ = strconv.Atoi(major)
		}
	}
	return best
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// installCommand returns the command that installs PostgreSQL on this system.
func installCommand() string {
	if goruntime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		release = nil
	}
	return installFor(string(release))
}

// installFor parses ID and ID_LIKE of os-release(5).
func installFor(release string) string {
	var ids []string
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "ID" || key == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	for _, id := range ids {
		switch id {
		case "debian", "ubuntu":
			return "sudo apt-get install -y postgresql"
		case "fedora", "rhel", "centos":
			return "sudo dnf install -y postgresql-server"
		case "alpine":
			return "sudo apk add postgresql"
		case "arch":
			return "sudo pacman -S --noconfirm postgresql"
		case "suse", "opensuse":
			return "sudo zypper install -y postgresql-server"
		}
	}
	return "the package of your system with initdb (https://www.postgresql.org/download)"
}
