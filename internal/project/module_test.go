package project

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/testdir"
)

func TestModuleAboveIsTheNearestInTheRepository(t *testing.T) {
	t.Parallel()
	top := testdir.New(t, map[string]string{
		"go.mod": "module example.com/outside\n", "repo/go.mod": "module example.com/shop\n", "repo/broken/go.mod": "go 1.26\n",
	})
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

func TestOtherRenovate(t *testing.T) {
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

func TestMissingRuntimeIsReportedBeforeTheGoToolRuns(t *testing.T) {
	t.Parallel()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const mod = "module example.com/shop\n\nreplace github.com/observability-first/scaffold/runtime => ../runtime\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"runtime is there":                {map[string]string{"runtime/go.mod": "module github.com/observability-first/scaffold/runtime\n"}, ""},
		"go.work exists":                  {map[string]string{"go.work": "go 1.26\n"}, ""},
		"vendored":                        {map[string]string{"shop/vendor/modules.txt": "# x\n"}, ""},
		"runtime is missing":              {nil, "go.mod:3: the runtime of scaffold is not in ../runtime; run go mod edit -replace=github.com/observability-first/scaffold/runtime=CHECKOUT/runtime"},
		"another module is there":         {map[string]string{"runtime/go.mod": "module example.com/runtime\n"}, "go.mod:3: the runtime of scaffold is not in ../runtime; run go mod edit -replace=github.com/observability-first/scaffold/runtime=CHECKOUT/runtime"},
		"runtime of a service is missing": {map[string]string{"shop/scaffold.yaml": ""}, "go.mod:3: the runtime of scaffold is not in ../runtime; run scaffold generate --runtime CHECKOUT DIR"},
		"runtime of a module above is missing": {
			map[string]string{"shop/go.mod": "", "go.mod": strings.Replace(mod, "..", ".", 1), "shop/scaffold.yaml": ""},
			"go.mod:3: the runtime of scaffold is not in ./runtime; run go mod edit -replace=github.com/observability-first/scaffold/runtime=CHECKOUT/runtime",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"shop/go.mod": mod}
			maps.Copy(files, tc.files)
			maps.DeleteFunc(files, func(file, text string) bool { return file == "shop/go.mod" && text == "" })
			dir := testdir.New(t, files)
			got := ""
			if err := CheckModule(filepath.Join(dir, "shop")); err != nil {
				got = err.Error()
			}
			want := strings.NewReplacer("CHECKOUT", filepath.ToSlash(checkout), "DIR", filepath.ToSlash(filepath.Join(dir, "shop"))).Replace(tc.want)
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}
