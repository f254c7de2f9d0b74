package cli_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/templates"
)

const examplesDir = "../../examples"

// wholeExamples has the arguments that generate the services that are committed whole, so that a
// template change is reviewed as a change of real code.
func wholeExamples() map[string][]string {
	module := "github.com/observability-first/scaffold/examples/"
	return map[string][]string{
		"minimal": {"new", "minimal", "--module", module + "minimal", "--resource", "order", "--owner", "team-checkout"},
		"orders":  {"new", "orders", "--module", module + "orders", "--with", "postgres", "--owner", "team-checkout"},
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	for name, args := range wholeExamples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			have := filepath.Join(examplesDir, name)
			if golden.Updating() {
				if err := os.RemoveAll(have); err != nil {
					t.Fatal(err)
				}
				generate(t, have, args)
				return
			}
			fresh := hiddenDir(t) // at the depth of the example, so that relative paths are the same
			if err := os.Remove(fresh); err != nil {
				t.Fatal(err)
			}
			generate(t, fresh, args)
			want, got := tree(t, fresh), tree(t, have)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("examples/%s is not what scaffold gives (run make examples; -generated +checked in):\n%s", name, diff)
			}
		})
	}
	lists, err := filepath.Glob(examplesDir + "/*/" + digestsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		name := filepath.Base(filepath.Dir(list))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testDigests(t, name)
		})
	}
}

// A team reads its service before it relies on it.
func TestGeneratedServiceSizeLimit(t *testing.T) {
	t.Parallel()
	const maxFiles, maxLines = 75, 6000
	files := tree(t, "../../examples/orders")
	lines := 0
	for name, text := range files {
		if !strings.HasPrefix(name, "observability/dashboards/") && !strings.HasPrefix(name, ".scaffold/") { // which nobody has to read
			lines += strings.Count(text, "\n")
		}
	}
	if len(files) > maxFiles || lines > maxLines {
		t.Errorf("%d files with %d lines besides dashboards and state, want at most %d with %d", len(files), lines, maxFiles, maxLines)
	}
}

func generate(t *testing.T, dir string, args []string) {
	t.Helper()
	scaffold(t, append(slices.Clone(args), "--dir", dir, "--deploy-directory", ".", "--runtime", "../../runtime"))
}

// scaffold runs the command, which must succeed.
func scaffold(t *testing.T, args []string) {
	t.Helper()
	var out, errs bytes.Buffer
	f := cli.System(templates.Render)
	f.Streams = cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	f.Getenv = func(string) string { return "" }
	if code := cli.Main(t.Context(), args, f); code != cli.ExitDone {
		findings := regexp.MustCompile(`(?m)^(create|keep) .*\n`).ReplaceAllString(out.String(), "")
		t.Fatalf("scaffold %s: status %d\n%s%s", strings.Join(args, " "), code, findings, errs.String())
	}
}

// hiddenDir returns a new directory in examples/. go list ./... of another test would fail if a
// visible one disappears.
func hiddenDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(examplesDir, ".check-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// tree reads all files below the directory except build output.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "bin" || entry.Name() == "vendor" || entry.Name() == ".postgres" {
				return filepath.SkipDir
			}
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
