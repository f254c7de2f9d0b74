package runbooks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	amtool "github.com/prometheus/alertmanager/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
)

// The test binary runs amtool or kubectl if it is started under that name.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "amtool":
		amtool.Execute()
	case "kubectl":
		kubectlutil.CheckErr(kubectl.NewDefaultKubectlCommand().Execute())
	default:
		os.Exit(m.Run())
	}
}

// shell runs commands with amtool and kubectl in PATH and its own home directory.
type shell struct{ path, home string }

func newShell(t *testing.T) shell {
	t.Helper()
	s := shell{path: t.TempDir(), home: t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"amtool", "kubectl"} {
		if err := os.Symlink(self, filepath.Join(s.path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// file writes a file below the home directory.
func (s shell) file(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command line and returns its output.
func (s shell) run(t *testing.T, line string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", line)
	cmd.Env = []string{"PATH=" + s.path + ":" + os.Getenv("PATH"), "HOME=" + s.home, "USER=reader"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// book is the commands of a runbook.
type book struct {
	name     string
	commands []string
}

var (
	fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	span  = regexp.MustCompile("`((?:kubectl|amtool) [^`]+)`")
)

// read returns the commands of the runbooks in the directory.
func read(t *testing.T, dir string) []book {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no runbooks in %s (%v)", dir, err)
	}
	var books []book
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b := book{name: filepath.Base(name)}
		for _, found := range slices.Concat(fence.FindAllSubmatch(text, -1), span.FindAllSubmatch(text, -1)) {
			b.commands = append(b.commands, strings.TrimSpace(string(found[1])))
		}
		books = append(books, b)
	}
	return books
}

// of returns the distinct commands of a tool. It fails if a runbook contains commands
// of a tool that is not tested.
func of(t *testing.T, tool string, books []book) []string {
	t.Helper()
	var out []string
	for _, b := range books {
		for _, c := range b.commands {
			switch name, _, _ := strings.Cut(c, " "); {
			case name == tool && !slices.Contains(out, c):
				out = append(out, c)
			case name != "amtool" && name != "kubectl":
				t.Errorf("%s: %q is not tested; use kubectl or amtool, or add the tool to this test", b.name, c)
			}
		}
	}
	return out
}
