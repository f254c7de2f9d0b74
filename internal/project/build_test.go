package project

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/templates"
)

func TestModuleOfRemote(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"git@github.com:acme/orders.git":             "github.com/acme/orders",
		"github.com:acme/orders":                     "github.com/acme/orders",
		"https://github.com/acme/orders.git":         "github.com/acme/orders",
		"https://user:token@GitHub.com/acme/orders/": "github.com/acme/orders",
		"ssh://git@git.acme.io:2222/team/orders.git": "git.acme.io/team/orders",
		"git://git.acme.io/orders":                   "git.acme.io/orders",
		"/srv/git/orders.git":                        "",
		"file:///srv/git/orders.git":                 "",
		"https://%zz":                                "",
	} {
		if got := moduleOfRemote(remote); got != want {
			t.Errorf("moduleOfRemote(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestShellReadsQuotedWords(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"orders", "", "it's", "a b", "$HOME `id` \"x\" \\", "*", "~", "a\nb", "{{x}}", "#"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+ShellQuote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("ShellQuote(%q) = %s, which a shell reads as %q (%v)", word, ShellQuote(word), out, err)
		}
	}
}

func TestTestBinaryIsBuiltFromACheckout(t *testing.T) {
	t.Parallel()
	if b := CurrentBuild(); b.Released || b.Version != "devel" {
		t.Errorf("got %+v", b)
	}
	if ModulePath() != "github.com/observability-first/scaffold" {
		t.Errorf("got %s", ModulePath())
	}
}

func TestBuildInACheckoutRecordsDirectoryAndCommit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"}}}
	b := buildOf(info, filepath.ToSlash(root)+"/internal/project/build.go")
	if b.Checkout != root || b.Revision != "0123abc" || !b.Modified {
		t.Errorf("got %+v", b)
	}
	if trimmed := buildOf(info, ModulePath()+"/internal/project/build.go"); trimmed.Checkout != "" {
		t.Errorf("got the checkout %q of a build without paths", trimmed.Checkout)
	}
	if here := CurrentBuild().Checkout; !holdsRuntime(filepath.Join(here, "runtime")) {
		t.Errorf("this test was built in %q, which holds no runtime", here)
	}
}

func TestInstalledBinaryRecordsRuntimeVersion(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{
		Main: debug.Module{Path: ModulePath(), Version: "v0.5.0", Sum: "h1:main="},
		Deps: []*debug.Module{{Path: "example.com/x", Version: "v1.0.0"}, {Path: RuntimeImport(), Version: "v0.5.1", Sum: "h1:runtime="}},
	}
	g := Generator{Build: buildOf(info, "")}
	got, err := g.renderOptions(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := templates.RenderOptions{Generator: "v0.5.0", RuntimeImport: RuntimeImport(), RuntimeVersion: "v0.5.1", RuntimeSum: "h1:runtime="}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRelativePathResolvesSymbolicLinks(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for _, dir := range []string{"a/b/real", "runtime"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(base, "a", "b", "real"), filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := relative(filepath.Join(base, "link", "orders"), filepath.Join(base, "runtime"))
	if err != nil || got != "../../../../runtime" {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := relative(base, filepath.Join(base, "runtime")); err != nil || got != "./runtime" {
		t.Errorf("got %s, %v", got, err)
	}
}
