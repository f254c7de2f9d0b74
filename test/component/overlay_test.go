package component_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// added is scaffold with the component, which only builds with the overlay have.
type added struct {
	top     string // of the repository
	overlay string
	bin     string // directory of programs
}

// withComponent returns an overlay that moves the component to the others, and registers it.
func withComponent(t *testing.T) added {
	t.Helper()
	top, err := filepath.Abs("../..")
	must(t, err)
	c, dir := added{top: top, bin: t.TempDir()}, filepath.Join(top, "templates", "components")
	c.overlay = filepath.Join(c.bin, "overlay.json")
	registry := filepath.Join(c.bin, "components.go")
	must(t, os.WriteFile(registry, []byte(registered(t, read(t, filepath.Join(dir, "components.go")))), 0o600))
	replace := map[string]string{filepath.Join(dir, "components.go"): registry}
	must(t, filepath.WalkDir(filepath.Join(top, "test", "component", name), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(filepath.Join(top, "test", "component"), file)
		replace[filepath.Join(dir, relative)] = file
		return err
	}))
	text, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, errors.Join(err, os.WriteFile(c.overlay, text, 0o600)))
	return c
}

// registered returns components.go with the line of the component, and its import.
func registered(t *testing.T, registry string) string {
	t.Helper()
	for _, line := range []struct{ after, add string }{
		{"scaffold/templates/component\"\n", "\t\"github.com/observability-first/scaffold/templates/components/heartbeat\"\n"},
		{"type Used struct {\n", "\tHeartbeat *heartbeat.Options `yaml:\"heartbeat\"`\n"},
	} {
		if strings.Count(registry, line.after) != 1 {
			t.Fatalf("components.go has no line that ends in %q", line.after)
		}
		registry = strings.Replace(registry, line.after, line.after+line.add, 1)
	}
	return registry
}

// build builds a program of the repository with the component.
func (c added) build(t *testing.T, pkg string) (program string) {
	t.Helper()
	program = filepath.Join(c.bin, filepath.Base(pkg))
	mustRun(t, c.top, "go", "build", "-overlay", c.overlay, "-o", program, "./"+pkg)
	return program
}

// run runs a program and returns its output. Modules come from the cache.
func run(t *testing.T, dir, program string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, errs strings.Builder
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// mustRun fails the test if the program fails, and returns its standard output.
func mustRun(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	stdout, stderr, err := run(t, dir, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
