package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNewestServerFirst(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var want []string
	for _, version := range []string{"17", "16", "9.6"} {
		want = append(want, filepath.Join(root, version, "bin"))
	}
	for _, dir := range []string{want[2], want[0], want[1]} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := installed([]string{filepath.Join(root, "*", "bin")}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVersionOfADirectory(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{
		"/usr/lib/postgresql/15/bin": 15, "/usr/pgsql-17/bin": 17, "/usr/libexec/postgresql16": 16, "/opt/homebrew/opt/postgresql@14/bin": 14,
		"/usr/lib/postgresql/9.6/bin": 9, "/opt/homebrew/opt/postgresql/bin": 0,
	} {
		if got := version(dir); got != want {
			t.Errorf("%s gave %d, want %d", dir, got, want)
		}
	}
}

func TestADirectoryIsCompleteWithBothPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("initdb", 0o700)
	if complete(dir) {
		t.Error("a directory without postgres is complete")
	}
	write("postgres", 0o600)
	if complete(dir) {
		t.Error("a directory whose postgres cannot be run is complete")
	}
	if err := os.Chmod(filepath.Join(dir, "postgres"), 0o700); err != nil {
		t.Fatal(err)
	}
	if !complete(dir) {
		t.Error("a directory with both is not complete")
	}
}

func TestTheInstallCommandFitsTheSystem(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{
		"ID=debian\n": "apt-get", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n": "apt-get", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n": "dnf",
		"NAME=x\nID=alpine\n": "apk", "ID=arch": "pacman", "ID='opensuse-leap'\nID_LIKE='suse opensuse'": "zypper", "": "postgresql.org/download", "ID=plan9": "postgresql.org/download",
	} {
		if got := installFor(release); !strings.Contains(got, want) {
			t.Errorf("%q gave %q, want %s", release, got, want)
		}
	}
}

// judge records the result of a test.
type judge struct {
	TB

	verdict string
}

func (*judge) Helper()      {}
func (*judge) Name() string { return "TestStore" }

func (j *judge) Skipf(format string, args ...any) {
	j.verdict = "skip: " + fmt.Sprintf(format, args...)
}
func (j *judge) Fatalf(format string, args ...any) {
	j.verdict = "fail: " + fmt.Sprintf(format, args...)
}

func TestMissingServerSkipsOrFails(t *testing.T) {
	t.Parallel()
	missing := notFound{"sudo apt-get install -y postgresql"}
	if !errors.Is(missing, ErrNotFound) {
		t.Error("the error is not ErrNotFound")
	}
	for _, tt := range []struct {
		name string
		err  error
		ci   bool
		want string
	}{
		{"skips without CI", missing, false, "skip: TestStore skipped: PostgreSQL server not found"},
		{"fails in CI", missing, true, "fail: TestStore: PostgreSQL server not found"},
		{"fails when the server is broken", errors.New("disk full"), false, "fail: TestStore: disk full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := &judge{}
			decline(j, tt.err, tt.ci)
			if !strings.HasPrefix(j.verdict, tt.want) || errors.Is(tt.err, ErrNotFound) && !strings.HasSuffix(j.verdict, missing.install) {
				t.Errorf("got %q, want %q and the command", j.verdict, tt.want)
			}
		})
	}
}
