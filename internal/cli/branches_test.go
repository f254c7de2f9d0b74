package cli_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/cli"
)

// Two branches that each add another component merge with git. It reports conflicts where both components have lines in
// the same place of a file that users edit; scaffold generate resolves those, and the tree is that with both components.
func TestEndToEndBranchesThatAddComponents(t *testing.T) {
	t.Parallel()
	want := newShop(t)
	s := shop{t, filepath.Join(t.TempDir(), "shop")}
	shell(t, want.dir, "git init --quiet && git add --all && git -c user.name=a -c user.email=a@example.com commit --quiet -m new && cp -R . "+s.dir)
	s.added("postgres", "httpclient")
	s.write("README.md", s.read("README.md")+"\nCall Ann.\n")
	s.git("commit", "--quiet", "--all", "--message", "Edit")

	s.git("checkout", "--quiet", "postgres")
	s.edit("Makefile", "\n\n", "\n\n# Mine.\n\n")
	s.git("commit", "--quiet", "--all", "--message", "Edit")
	s.git("checkout", "--quiet", "httpclient")
	merge := exec.CommandContext(t.Context(), "git", "-C", s.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "merge", "postgres")
	out, _ := merge.CombinedOutput()
	if got := conflicts(string(out)); !slices.Equal(got, []string{"README.md", "cmd/shop/main.go"}) {
		t.Errorf("git reports conflicts in %q:\n%s", got, out)
	}
	if status, out, errs := s.scaffold("generate", s.dir); status != cli.ExitDone {
		t.Fatalf("generate: status %d\n%s%s", status, out, errs)
	}

	want.added("postgres httpclient")
	want.write("README.md", want.read("README.md")+"\nCall Ann.\n")
	want.edit("Makefile", "\n\n", "\n\n# Mine.\n\n")
	isGit := func(name, _ string) bool { return strings.HasPrefix(name, ".git/") }
	got, both := tree(t, s.dir), tree(t, want.dir)
	maps.DeleteFunc(got, isGit)
	maps.DeleteFunc(both, isGit)
	// The user may have edited the spec in both branches, so its digest is that on disk.
	if diff := cmp.Diff(both, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.passes()
}

// added adds components, each operand in its own branch. The last branch stays checked out.
func (s shop) added(branches ...string) {
	s.t.Helper()
	start := strings.TrimSpace(s.git("rev-parse", "HEAD"))
	for _, names := range branches {
		components := strings.Fields(names)
		s.git("checkout", "--quiet", "-b", strings.Join(components, "-"), start)
		if status, out, errs := s.scaffold(append([]string{"add", "--dir", s.dir}, components...)...); status != cli.ExitDone {
			s.t.Fatalf("add %s: status %d\n%s%s", names, status, out, errs)
		}
		s.git("add", "--all")
		s.git("commit", "--quiet", "--message", "Add")
	}
}

func (s shop) git(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "git", append([]string{"-C", s.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// conflicts returns the files that git merge reports, sorted.
func conflicts(out string) []string {
	var names []string
	for line := range strings.Lines(out) {
		if _, name, found := strings.Cut(strings.TrimSpace(line), "Merge conflict in "); found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
