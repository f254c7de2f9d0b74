package component_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/templates/components"
)

// name is the component that the tests add.
const name = "heartbeat"

// A component needs its directory and its line in components.go, and nothing else.
func TestEndToEndComponent(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	c := withComponent(t)
	scaffold := c.build(t, "cmd/scaffold")
	t.Run("passes the tests of all components", func(t *testing.T) {
		t.Parallel()
		mustRun(t, c.top, "go", "test", "-short", "-vet=off", "-overlay", c.overlay, "./templates", "./templates/spec")
	})
	t.Run("has the signals that its service prints", c.testRecorded)
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		s := c.newService(t, scaffold, name)
		s.rejectsInvalidOptions()
		s.build()
		s.verify()
		s.removeFromEditedCode()
	})
	t.Run("with all others", func(t *testing.T) {
		t.Parallel()
		s := c.newService(t, scaffold, append(components.Names(), name)...)
		s.build()
		s.verify("--quick")
		s.remove()
	})
}

// testRecorded compares heartbeat/recorded with what package record writes; -update rewrites it.
func (c added) testRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join("templates", "components", name, "recorded")
	const base = "templates/patterns/service/recorded/go.mod.txt" // recorded requirements are those that differ
	for _, d := range []string{own, "docs", path.Dir(base)} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Symlink(filepath.Join(c.top, "runtime"), filepath.Join(dir, "runtime")))
	must(t, os.WriteFile(filepath.Join(dir, base), []byte(read(t, filepath.Join(c.top, base))), 0o600))
	mustRun(t, dir, c.build(t, "internal/record"), name)
	written, err := os.ReadDir(filepath.Join(dir, own))
	must(t, err)
	for _, f := range written {
		golden.Compare(t, filepath.Join(name, "recorded", f.Name()), []byte(read(t, filepath.Join(dir, own, f.Name()))))
	}
	if len(written) != 1 {
		t.Errorf("%d files; the component needs no modules, so only its signals are recorded", len(written))
	}
}

// service is a generated service.
type service struct {
	t             *testing.T
	scaffold, dir string
}

func (c added) newService(t *testing.T, scaffold string, with ...string) service {
	t.Helper()
	s := service{t, scaffold, filepath.Join(t.TempDir(), "shop")}
	mustRun(t, c.top, scaffold, "new", "shop", "--dir", s.dir, "--module", "example.com/shop", "--runtime", filepath.Join(c.top, "runtime"), "--with", strings.Join(with, ","), "--yes")
	return s
}

// build checks, builds and tests the service.
func (s service) build() {
	s.t.Helper()
	mustRun(s.t, s.dir, "go", "vet", "./...")
	mustRun(s.t, s.dir, "go", "test", "-vet=off", "./...")
	mustRun(s.t, s.dir, s.scaffold, "check")
}

// check is a check of scaffold verify.
type check struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// rejectsInvalidOptions checks the message in docs/components.md.
func (s service) rejectsInvalidOptions() {
	s.t.Helper()
	file := filepath.Join(s.dir, "scaffold.yaml")
	valid := read(s.t, file)
	s.edit(file, regexp.MustCompile("interval: .*"), "interval: 5ms")
	_, stderr, err := run(s.t, s.dir, s.scaffold, "check")
	if want := quotes(s.t)["output of scaffold check"]; err == nil || len(want) != 1 || !strings.Contains(stderr, want[0]) {
		s.t.Errorf("scaffold check: %v, want %q\n%s", err, want, stderr)
	}
	must(s.t, os.WriteFile(file, []byte(valid), 0o600))
}

// verify checks that all checks of scaffold verify pass, and that those in docs/components.md are among them.
func (s service) verify(flags ...string) {
	s.t.Helper()
	var report struct {
		Checks []check `json:"checks"`
	}
	out := mustRun(s.t, s.dir, s.scaffold, append([]string{"verify", "--output", "json"}, flags...)...)
	must(s.t, json.Unmarshal([]byte(out), &report))
	documented := strings.Split(strings.TrimSpace(strings.Join(quotes(s.t)["checks of scaffold verify"], "")), "\n")
	if len(documented) < 6 {
		s.t.Errorf("docs/components.md lists only %q", documented)
	}
	for _, want := range documented {
		if slices.Contains(flags, "--quick") && strings.Contains(want, " when ") {
			continue // a quick run simulates no tickets
		}
		if !slices.ContainsFunc(report.Checks, func(c check) bool { return c == (check{want, "passed"}) }) {
			s.t.Errorf("verify has no passed check %q among %d", want, len(report.Checks))
		}
	}
}

// remove removes the component from scaffold.yaml. Nothing of it is left.
func (s service) remove() {
	s.t.Helper()
	s.removeKey()
	if out := mustRun(s.t, s.dir, s.scaffold, "generate"); strings.Contains(out, "custom.json") {
		s.t.Errorf("the metric of the component is reported as one of the service:\n%s", out)
	}
	s.withoutComponent()
}

// removeFromEditedCode does the same by command, after an edit of main.go, which stays.
func (s service) removeFromEditedCode() {
	s.t.Helper()
	main := filepath.Join(s.dir, "cmd/shop/main.go")
	const edit = "\t// Routes of the shop.\n"
	s.edit(main, regexp.MustCompile(`\tsvc\.Handle\(`), edit+"$0")
	mustRun(s.t, s.dir, s.scaffold, "remove", name)
	s.withoutComponent()
	if !strings.Contains(read(s.t, main), edit) {
		s.t.Error("the edit of main.go is lost")
	}
}

func (s service) removeKey() {
	s.t.Helper()
	s.edit(filepath.Join(s.dir, "scaffold.yaml"), regexp.MustCompile(`  heartbeat:\n(    .*\n)+`), "")
}

func (s service) edit(file string, from *regexp.Regexp, to string) {
	s.t.Helper()
	text := read(s.t, file)
	edited := from.ReplaceAllString(text, to)
	if edited == text {
		s.t.Fatalf("%s has no %s:\n%s", file, from, text)
	}
	must(s.t, os.WriteFile(file, []byte(edited), 0o600))
}

// withoutComponent checks that the service builds, and that no file names the component.
func (s service) withoutComponent() {
	s.t.Helper()
	s.build()
	files := 0
	must(s.t, fs.WalkDir(os.DirFS(s.dir), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		if strings.Contains(strings.ToLower(path.Base(file)+read(s.t, filepath.Join(s.dir, file))), name) {
			s.t.Errorf("%s still names the component", file)
		}
		return nil
	}))
	if files < 50 {
		s.t.Errorf("only %d files", files)
	}
}
