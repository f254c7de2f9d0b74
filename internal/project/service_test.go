package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/testdir"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

func released() Generator {
	return Generator{Build: Build{Version: "v0.5.0", Released: true}, Render: templates.Render, RenderRepository: templates.RenderRepository}
}

// planned plans a service in dir. The test closes the workspace.
func planned(t *testing.T, g Generator, dir string, choices spec.Choices) (*workspace.Workspace, Target) {
	t.Helper()
	s, err := spec.New(choices)
	if err != nil {
		t.Fatal(err)
	}
	return plannedService(t, g, dir, s)
}

func plannedService(t *testing.T, g Generator, dir string, s spec.Service) (*workspace.Workspace, Target) {
	t.Helper()
	w, err := g.OpenWorkspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	target, err := g.Plan(w, Target{Dir: dir, Service: s}, spec.Defaults{}, s.YAML(), "")
	if err != nil {
		t.Fatal(err)
	}
	return w, target
}

// newService writes a service as `scaffold new` does and returns its directory.
func newService(t *testing.T, g Generator, choices spec.Choices) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), choices.Name)
	w, target := planned(t, g, dir, choices)
	if err := errors.Join(g.Apply(t.Context(), w, target), w.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func replaceIn(t *testing.T, dir, file, old, text string) {
	t.Helper()
	name := filepath.Join(dir, filepath.FromSlash(file))
	src, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(src), old) {
		t.Fatalf("%s does not hold %q (%v)", file, old, err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(src), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUnchangedServiceIsUpToDate(t *testing.T) {
	t.Parallel()
	g := released()
	dir := newService(t, g, spec.Choices{Name: "orders"})
	target, w, err := g.Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if !target.Plan.Empty() || len(target.CodeChanges) > 0 || target.Ask != nil {
		t.Errorf("the plan is %v, changes of the code %v", target.Plan.Changes, target.CodeChanges)
	}
}

// Changes that would leave a service that does not build are reported at their key.
func TestSpecChangesThatNeedCodeChanges(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		choices       spec.Choices
		file, old, to string
		want          string // prefix of the message; empty for none
	}{
		"owner":               {spec.Choices{Name: "orders"}, "scaffold.yaml", "owner: team-orders", "owner: team-a", ""},
		"name":                {spec.Choices{Name: "orders"}, "scaffold.yaml", "service: orders", "service: sales\nresource: order", "there is no cmd/sales, and scaffold generate does not rename a service"},
		"resource":            {spec.Choices{Name: "orders"}, "scaffold.yaml", "service: orders", "service: orders\nresource: sale", "there is no internal/sale, and scaffold generate does not rename your code; write the resource that the service had"},
		"PostgreSQL is added": {spec.Choices{Name: "orders"}, "scaffold.yaml", "service: orders", "service: orders\ncomponents: {postgres: {}}", ""},
		"module":              {spec.Choices{Name: "orders", Module: "example.com/orders"}, "go.mod", "module example.com/orders", "module example.com/sales", "go.mod has the module example.com/sales, and scaffold generate does not change your imports"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := released()
			dir := newService(t, g, tc.choices)
			replaceIn(t, dir, tc.file, tc.old, tc.to)
			target, w, err := g.Open(Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			got := ""
			if len(target.CodeChanges) > 0 {
				got = target.CodeChanges[0].Message
			}
			if !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// The user's code may import what only the removed component has: its packages, and modules that go.mod loses.
func TestRemovedPackagesThatTheUsersCodeImports(t *testing.T) {
	t.Parallel()
	g := released()
	dir := newService(t, g, spec.Choices{Name: "orders", Module: "example.com/orders", Components: []string{"postgres"}})
	for name, text := range map[string]string{
		"internal/mine/mine.go": "package mine\n\nimport (\n\t\"time\"\n\n\t\"github.com/jackc/pgx/v5\"\n\n\t\"example.com/orders/internal/order\"\n\t\"example.com/orders/migrations\"\n)\n",
		"internal/mine/fine.go": "package mine\n\nimport \"example.com/orders/internal/store\"\n",
		"vendor/x/x.go":         "package x\n\nimport \"example.com/orders/migrations\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replaceIn(t, dir, "scaffold.yaml", "components:\n  postgres:\n    connections: 97 # max_connections of PostgreSQL (100) less 3 reserved for superusers\n", "")
	target, w, err := g.Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	var got []string
	for _, p := range target.CodeChanges {
		got = append(got, fmt.Sprintf("%s:%d:%d: %s", strings.TrimPrefix(p.File, filepath.ToSlash(dir)+"/"), p.Line, p.Column, p.Message))
	}
	want := []string{
		"internal/mine/mine.go:6:2: your code imports github.com/jackc/pgx/v5, which the service would no longer have; first remove what uses it",
		"internal/mine/mine.go:9:2: your code imports example.com/orders/migrations, which the service would no longer have; first remove what uses it",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOpenReportsInvalidFiles(t *testing.T) {
	t.Parallel()
	g := released()
	for name, tc := range map[string]struct {
		lose string // file to delete
		file string // file to overwrite
		want string
	}{
		"missing spec":     {"scaffold.yaml", "", "no scaffold.yaml in DIR; pass the directory of a service"},
		"missing manifest": {".scaffold/manifest.json", "", "DIR/.scaffold/manifest.json is missing: scaffold needs it to distinguish your edits from generated content; restore it from version control: git checkout HEAD -- DIR/.scaffold; if it was never committed, generate the service in another directory and copy OTHER/.scaffold from there: mkdir -p OTHER && cp DIR/scaffold.yaml OTHER && scaffold generate OTHER"},
		"invalid go.mod":   {"", "go.mod", "DIR/go.mod: unexpected format: no line begins with \"module\""},
		"invalid spec":     {"", "scaffold.yaml", "DIR/scaffold.yaml: unexpected format"},
		"invalid defaults": {"", ".scaffold/defaults.yaml", "DIR/.scaffold/defaults.yaml: unexpected format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := g
			g.Build = Build{Version: "devel"} // reads go.mod to locate the runtime
			dir := newService(t, released(), spec.Choices{Name: "orders"})
			if tc.lose != "" {
				if err := os.Remove(filepath.Join(dir, filepath.FromSlash(tc.lose))); err != nil {
					t.Fatal(err)
				}
			}
			if tc.file != "" {
				if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(tc.file)), []byte("secret\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := g.Open(Options{Dir: dir})
			if want := strings.ReplaceAll(tc.want, "DIR", filepath.ToSlash(dir)); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// Changed signals of a service are written to its files.
func TestOutputOfTheServiceIsWritten(t *testing.T) {
	t.Parallel()
	g := released()
	dir := newService(t, g, spec.Choices{Name: "orders"})
	const printed = `{"service":"orders","routes":[],"metrics":[]}`
	var broken error
	g.Ask = func(context.Context, string, string, []string) (map[string]Output, error) {
		return map[string]Output{TelemetryVerb: {Out: []byte(printed)}}, broken
	}
	target, w, err := g.Lock(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	plan, err := g.Reprint(t.Context(), w, target)
	if err != nil || len(plan.Changes) == 0 {
		t.Fatalf("the plan is %v, %v", plan.Changes, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(TelemetryPath))); err != nil || string(got) != printed {
		t.Errorf("%s holds %q (%v)", TelemetryPath, got, err)
	}
	if out, err := target.Ask(t.Context(), TelemetryVerb); err != nil || string(out) != printed {
		t.Errorf("asked again, it prints %q (%v)", out, err)
	}

	broken = errors.New("it does not build")
	const want = TelemetryPath + " was not updated: it does not build\nfix the service and run scaffold generate again"
	if _, err := g.Reprint(t.Context(), w, target); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	const wantStopped = "stopped before " + TelemetryPath + ": interrupt signal received; the other files are complete; run scaffold generate again"
	if _, err := g.Reprint(ctx, w, target); err == nil || err.Error() != wantStopped {
		t.Errorf("got  %v\nwant %s", err, wantStopped)
	}
}

func TestLocationOfTheRuntime(t *testing.T) {
	t.Parallel()
	const runtimeModule = "module github.com/observability-first/scaffold/runtime\n"
	dir := testdir.New(t, map[string]string{
		"checkout/runtime/go.mod": runtimeModule,
		"mine/go.mod":             "module example.com/mine\n\nreplace github.com/observability-first/scaffold/runtime => ../somewhere\n",
		"empty/keep":              "",
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, tc := range map[string]struct {
		service, flag, checkout string
		want, err               string
	}{
		"flag has the runtime":       {"new", at("checkout/runtime"), "", "../checkout/runtime", ""},
		"flag has the checkout":      {"new", at("checkout"), "", "../checkout/runtime", ""},
		"flag has another directory": {"new", at("empty"), "", "", "--runtime: " + at("empty") + " is neither a checkout of scaffold nor the directory of module"},
		"go.mod has the runtime":     {"mine", "", at("checkout"), "../somewhere", ""},
		"flag overrides go.mod":      {"mine", at("checkout"), "", "../checkout/runtime", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := Generator{Build: Build{Version: "devel", Checkout: tc.checkout}}
			o, err := g.renderOptions(at(tc.service), tc.flag)
			if o.RuntimeReplace != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
				t.Errorf("got %q, %v; want %q, %q", o.RuntimeReplace, err, tc.want, tc.err)
			}
		})
	}
	for checkout, want := range map[string]string{
		at("checkout"): "",
		at("empty"):    "which is no longer a checkout of scaffold: set --runtime to a checkout",
		at("gone"):     "which no longer exists: set --runtime to a checkout",
		"":             "this scaffold is not a release, and was built without the path of its checkout",
	} {
		way, err := Generator{Build: Build{Checkout: checkout}}.builtRuntime(at("new"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && way != "../checkout/runtime" {
			t.Errorf("built in %q: got %q, %v; want %q", checkout, way, err, want)
		}
	}
}

func TestRequireCommands(t *testing.T) {
	t.Parallel()
	s, err := spec.New(spec.Choices{Name: "orders", Module: "example.com/shop/orders"})
	if err != nil {
		t.Fatal(err)
	}
	dir := testdir.New(t, map[string]string{"go.mod": "module example.com/shop\n"})
	commands, err := released().RequireCommands(s, filepath.Join(dir, "orders"), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(commands) != 3 || !strings.HasPrefix(commands[0], "cd ") || commands[2] != "go mod tidy" ||
		!strings.Contains(commands[1], " "+RuntimeImport()+"@v0.5.0") {
		t.Errorf("got %q", commands)
	}
	if none, err := released().RequireCommands(s, dir, "", ""); err != nil || none != nil {
		t.Errorf("without a module above: %q, %v", none, err)
	}
}

func TestQuoteFields(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		words     []string
		want, err string
	}{
		{[]string{"/a b", "copy"}, `"/a b" "copy"`, ""},
		{[]string{`/a"b`}, `'/a"b'`, ""},
		{[]string{`/a"'b`}, "", `/a"'b: the path contains single and double quotes; install scaffold elsewhere, or set TMPDIR`},
	} {
		got, err := quoteFields(tc.words)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%q: got %s, %v; want %s, %s", tc.words, got, err, tc.want, tc.err)
		}
	}
}

func TestCopyProgramKeepsExistingFile(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{"from": "program"})
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := CopyProgram(from, to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "program" {
		t.Errorf("the copy holds %q (%v)", got, err)
	}
	if err := CopyProgram(from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second copy: %v", err)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"a-b_c.d/e:f,@+=1": "a-b_c.d/e:f,@+=1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := ShellQuote(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}

func TestOutside(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{"/a": false, "/a/b": false, "/a/..b": false, "/": true, "/ab": true, "/a/../b": true} {
		if got := Outside(filepath.FromSlash("/a"), filepath.FromSlash(target)); got != want {
			t.Errorf("%s outside of /a: %t", target, got)
		}
	}
}

func TestModuleOfRemoteDropsPortsAndCase(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"git@GitHub.com:acme/orders.git":           "github.com/acme/orders",
		"https://github.com/acme/orders":           "github.com/acme/orders",
		"ssh://git@gitlab.acme.test:22/a/b/orders": "gitlab.acme.test/a/b/orders",
		"/srv/orders.git":                          "",
		"https:///orders":                          "",
	} {
		if got := moduleOfRemote(remote); got != want {
			t.Errorf("%s: got %q, want %q", remote, got, want)
		}
	}
}

func TestRootPathsAreRelativeToTheService(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "services", "orders")
	_, target := planned(t, released(), dir, spec.Choices{Name: "orders", Directory: "services/orders"})
	var paths []string
	for _, c := range target.RootChanges() {
		if c.Action != workspace.Create {
			t.Errorf("%s: %s", c.Path, c.Action)
		}
		paths = append(paths, c.Path)
	}
	if !slices.Contains(paths, "../../.github/workflows/orders.yml") || len(target.With(workspace.Conflict)) > 0 {
		t.Errorf("got %q, conflicts %v", paths, target.With(workspace.Conflict))
	}
	if none := (Target{}).RootChanges(); none != nil {
		t.Errorf("a service that is its repository has %v at the root", none)
	}
}
