package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheModuleAboveIsTheNearestInTheRepository(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/outside\n", "repo/go.mod": "module example.com/shop\n", "repo/broken/go.mod": "go 1.26\n",
	} {
		file := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct{ root, dir, module, path, err string }{
		"two levels above":        {"repo", "repo/services/orders", "repo", "example.com/shop", ""},
		"none in the repository":  {"repo/services", "repo/services/orders", "", "", ""},
		"one without module line": {"repo", "repo/broken/orders", "", "", "go.mod has no module line; add one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			module, path, err := ModuleAbove(filepath.Join(top, tc.root), filepath.Join(top, tc.dir))
			want := ""
			if tc.module != "" {
				want = filepath.Join(top, tc.module)
			}
			if module != want || path != tc.path {
				t.Errorf("got %q, %q; want %q, %q", module, path, want, tc.path)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got the error %v, want %q", err, tc.err)
			}
		})
	}
}

func TestOtherConfigurationsOfRenovateAreFound(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if got := OtherRenovate(root); got != "" {
		t.Errorf("an empty directory has %s", got)
	}
	if err := os.WriteFile(filepath.Join(root, ".renovaterc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := OtherRenovate(root); got != ".renovaterc" {
		t.Errorf("found %q", got)
	}
}
