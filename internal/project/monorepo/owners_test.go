package monorepo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/testkit/testdir"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	const directory = "services/orders"
	for _, tt := range []struct {
		name         string
		files        map[string]string
		owner        string
		organization string
		create       bool
		file, want   string // the written file and its content
		left         string
	}{
		{"team of a known organization", nil, "team-orders", "acme", true,
			".github/CODEOWNERS", "/services/orders/ @acme/team-orders\n", ""},
		{"users are unchanged", nil, "@ann @bob", "acme", true, ".github/CODEOWNERS", "/services/orders/ @ann @bob\n", ""},
		{"email address", nil, "orders@acme.test", "", true, ".github/CODEOWNERS", "/services/orders/ orders@acme.test\n", ""},
		{"first file that forges read", map[string]string{"docs/CODEOWNERS": "# d\n", "CODEOWNERS": "* @all\n"}, "@ann", "", true,
			"CODEOWNERS", "* @all\n/services/orders/ @ann\n", ""},
		{"file of GitLab", map[string]string{".gitlab/CODEOWNERS": "* @all\n"}, "@ann", "", false,
			".gitlab/CODEOWNERS", "* @all\n/services/orders/ @ann\n", ""},
		{"CRLF line ends without a final one", map[string]string{"CODEOWNERS": "* @all\r\n# \xff end"}, "@ann", "", true,
			"CODEOWNERS", "* @all\r\n# \xff end\r\n/services/orders/ @ann\r\n", ""},
		{"directory with the same prefix", map[string]string{"CODEOWNERS": "/services/orders-old/ @x\n"}, "@ann", "", true,
			"CODEOWNERS", "/services/orders-old/ @x\n/services/orders/ @ann\n", ""},
		{"existing line", map[string]string{"CODEOWNERS": "/services/orders/ @x\n"}, "@ann", "", true, "", "", ""},
		{"existing line in another spelling", map[string]string{"CODEOWNERS": "  services/orders/** @x\n"}, "@ann", "", true, "", "", ""},
		{"commented line", map[string]string{"CODEOWNERS": "# /services/orders/ @x\n"}, "@ann", "", true,
			"CODEOWNERS", "# /services/orders/ @x\n/services/orders/ @ann\n", ""},
		{"unknown organization", nil, "team-orders", "", true, "", "/services/orders/ @ORGANIZATION/team-orders", "the forge's name of team-orders is not known"},
		{"invalid name for a forge", nil, "the order\nteam # x", "acme", true, "", "/services/orders/ @ORGANIZATION/TEAM", "the forge's name of the order team # x is not known"},
		{"forge would not read the file", nil, "@ann", "", false, "", "/services/orders/ @ann", "there is no CODEOWNERS"},
		{"sections", map[string]string{"CODEOWNERS": "* @all\n^[Docs][2]\n*.md @d\n"}, "@ann", "", true, "", "/services/orders/ @ann", "CODEOWNERS has sections"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := testdir.New(t, tt.files)
			o, err := monorepo.PlanOwners(root, directory, tt.owner, tt.organization, tt.create)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Write(); err != nil {
				t.Fatal(err)
			}
			if o.File != tt.file || o.Left != tt.left {
				t.Errorf("file %q, left %q; want %q and %q", o.File, o.Left, tt.file, tt.left)
			}
			if tt.left != "" && o.Line != tt.want {
				t.Errorf("the line is %q, want %q", o.Line, tt.want)
			}
			for name, text := range tt.files {
				if name != tt.file && read(t, root, name) != text {
					t.Errorf("%s was changed", name)
				}
			}
			if tt.file != "" {
				if got := read(t, root, tt.file); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				entries, err := os.ReadDir(filepath.Join(root, filepath.Dir(tt.file)))
				if err != nil || strings.Contains(entries[0].Name(), ".new") {
					t.Errorf("left %v (%v)", entries, err)
				}
			}
		})
	}
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestConcurrentlyChangedOwnersAreKept(t *testing.T) {
	t.Parallel()
	for _, before := range []map[string]string{nil, {".github/CODEOWNERS": "* @all\n"}} {
		root := testdir.New(t, before)
		o, err := monorepo.PlanOwners(root, "services/orders", "@ann", "", true)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(root, ".github", "CODEOWNERS")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("* @meanwhile\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := o.Write(); err == nil || !strings.Contains(err.Error(), `add "/services/orders/ @ann" yourself`) {
			t.Errorf("got %v", err)
		}
		if got := read(t, root, ".github/CODEOWNERS"); got != "* @meanwhile\n" {
			t.Errorf("it holds %q", got)
		}
	}
}

func TestLinkToOwnersIsKept(t *testing.T) {
	t.Parallel()
	root := testdir.New(t, map[string]string{"owners": "* @all\n"})
	if err := os.Symlink("owners", filepath.Join(root, "CODEOWNERS")); err != nil {
		t.Fatal(err)
	}
	o, err := monorepo.PlanOwners(root, "services/orders", "@ann", "", true)
	if err != nil || o.File != "" || o.Left != "CODEOWNERS is not a regular file" {
		t.Errorf("got %+v, %v", o, err)
	}
}
