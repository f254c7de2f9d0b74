package terraform

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const head = `apiVersion: scaffold/v1
service: %NAME%
owner: team-checkout
module: example.com/orders
resource: order
telemetry: {metrics: push}
`

// specs returns specs with all options that change the modules.
func specs() map[string]string {
	named := func(name, more string) string { return strings.Replace(head, "%NAME%", name, 1) + more }
	return map[string]string{
		"minimal": named("orders", "deploy: {terraform: [aws, gcp, azure]}\n"),
		"database and registry": named("orders", "components: {postgres: {}}\n"+
			"deploy: {terraform: [aws, gcp, azure], image: 'registry.acme.test:5000/shop/orders', replicas: {min: 1, max: 1}, resources: {cpu: 2, memory: 3Gi}}\n"),
		"longest name": named("a"+strings.Repeat("-b", 19)+"c", "deploy: {terraform: [azure]}\n"),
		"windows of one and four weeks": named("orders", "deploy: {terraform: [gcp]}\nslos:\n"+
			"- {name: availability, objective: 99.95, window: 7d, indicator: {availability: {}}}\n"+
			"- {name: latency, objective: 90, window: 28d, indicator: {latency: {threshold: 1s}}}\n"+
			"- {name: own, objective: 99, window: 30d, indicator: {ratio: {total: 'jobs_total{kind=~\"${a}|%{b}\"}', bad: 'jobs_total{kind=~\"${a}|%{b}\",state=\"failed\"}'}}}\n"),
	}
}

// generate generates the service of a spec and returns the directory of its modules.
func generate(t *testing.T, src string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "scaffold.yaml"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	root := absolute(t, "../..")
	command := exec.CommandContext(t.Context(), "go", "run", "./cmd/scaffold", "generate", "--runtime", filepath.Join(root, "runtime"), dir)
	command.Dir = root
	// Exit status 3: an objective uses a metric that the service does not declare. The files are written.
	if out, err := command.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("exit status 3")) {
		t.Fatalf("scaffold generate: %v\n%s", err, out)
	}
	return filepath.Join(dir, "deploy", "terraform")
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tool returns the command line of Terraform, or of OpenTofu.
func tool(t *testing.T) []string {
	t.Helper()
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}
		}
	}
	return []string{"go", "tool", "-modfile=" + absolute(t, "go.mod"), "tofu"}
}

func run(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	full := append(tool(t), args...)
	command := exec.CommandContext(t.Context(), full[0], full[1:]...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull, "TF_IN_AUTOMATION=1")
	out, err := command.CombinedOutput()
	return string(out), err
}

func mustRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := run(t, dir, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func TestTheModulesAreWhatTerraformAccepts(t *testing.T) {
	t.Parallel()
	for name, src := range specs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := generate(t, src)
			if out, err := run(t, dir, "fmt", "-check", "-recursive", "-diff"); err != nil {
				t.Errorf("fmt: %v\n%s", err, out)
			}
			core := filepath.Join(dir, "core")
			mustRun(t, core, "init", "-no-color")
			mustRun(t, core, "validate", "-no-color")
			out := mustRun(t, core, "test", "-no-color")
			if !regexp.MustCompile(`(1[2-9]|[2-9]\d) passed, 0 failed`).MatchString(out) {
				t.Errorf("want at least 12 passed tests and none failed:\n%s", out)
			}
			consistent(t, dir)
		})
	}
}

// Each change breaks the module; the module's tests must fail.
func TestBrokenModulesFailTheirTests(t *testing.T) {
	t.Parallel()
	dir := generate(t, specs()["minimal"])
	core := filepath.Join(dir, "core")
	for name, change := range map[string][3]string{
		"wrong share of the budget":    {"main.tf", "share = 0.02", "share = 0.03"},
		"wrong length of the window":   {"main.tf", "o.days * 24 / p.hours * (100 - o.objective) / 100\n        long", "o.days * 20 / p.hours * (100 - o.objective) / 100\n        long"},
		"image without a digest":       {"variables.tf", `"@sha256:[0-9a-f]{64}$"`, `"."`},
		"maximum below the minimum":    {"variables.tf", " && var.replicas.max >= var.replicas.min", ""},
		"placeholder not replaced":     {"main.tf", `replace(o.total, "$environment", var.environment)`, "o.total"},
		"size too small for a replica": {"main.tf", "size.cpu >= var.cpu_millis * 1.024 && ", ""},
		"names not truncated":          {"main.tf", "container_app = 32", "container_app = 99"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := t.TempDir()
			if err := os.CopyFS(broken, os.DirFS(core)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(broken, change[0])
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(text, []byte(change[1])) {
				t.Fatalf("%s does not contain %q", change[0], change[1])
			}
			if name == "names not truncated" { // only long names are truncated
				text = bytes.Replace(text, []byte(`service = "orders"`), []byte(`service = "`+strings.Repeat("o", 40)+`"`), 1)
			}
			if err := os.WriteFile(file, bytes.Replace(text, []byte(change[1]), []byte(change[2]), 1), 0o644); err != nil {
				t.Fatal(err)
			}
			mustRun(t, broken, "init", "-no-color")
			if out, err := run(t, broken, "test", "-no-color"); err == nil {
				t.Errorf("the tests passed:\n%s", out)
			}
		})
	}
}

// consistent checks that all variables are used, and that all references exist.
func consistent(t *testing.T, dir string) {
	t.Helper()
	core := parse(t, filepath.Join(dir, "core"))
	modules, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		module := parse(t, filepath.Join(dir, m.Name()))
		for _, name := range module.variables {
			if !slices.Contains(module.uses, "var."+name) {
				t.Errorf("%s: unused variable %s", m.Name(), name)
			}
		}
		for _, use := range module.uses {
			kind, name, _ := strings.Cut(use, ".")
			known := map[string][]string{"var": module.variables, "local": module.locals, "core": core.outputs}[kind]
			if known == nil {
				known = module.resources
				name = use
			}
			if !slices.Contains(known, name) {
				t.Errorf("%s: unknown reference %s", m.Name(), use)
			}
		}
	}
}

// module has the declarations and references in the files of a directory.
type module struct{ variables, locals, outputs, resources, uses []string }

func parse(t *testing.T, dir string) module {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no module (%v)", dir, err)
	}
	var m module
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, problems := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		m.add(parsed.Body.(*hclsyntax.Body))
	}
	return m
}

func (m *module) add(body *hclsyntax.Body) {
	for _, block := range body.Blocks {
		switch block.Type {
		case "variable":
			m.variables = append(m.variables, block.Labels[0])
		case "output":
			m.outputs = append(m.outputs, block.Labels[0])
		case "resource":
			m.resources = append(m.resources, block.Labels[0]+"."+block.Labels[1])
		case "locals":
			for name := range block.Body.Attributes {
				m.locals = append(m.locals, name)
			}
		}
	}
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		if e, ok := node.(hclsyntax.Expression); ok {
			if scope, ok := e.(*hclsyntax.ScopeTraversalExpr); ok {
				m.use(scope.Traversal)
			}
		}
		return nil
	})
}

// use records a reference as var.x, local.x, core.x for module.core.x, or as the
// resource.
func (m *module) use(path hcl.Traversal) {
	names := []string{path.RootName()}
	for _, step := range path[1:] {
		if attribute, ok := step.(hcl.TraverseAttr); ok {
			names = append(names, attribute.Name)
			continue
		}
		break
	}
	switch {
	case len(names) < 2: // key of an object, or variable of a for expression
	case names[0] == "module" && len(names) > 2:
		m.uses = append(m.uses, names[1]+"."+names[2])
	case names[0] == "var" || names[0] == "local" || strings.Contains(names[0], "_"):
		m.uses = append(m.uses, names[0]+"."+names[1])
	}
}
