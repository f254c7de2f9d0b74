package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/cli"
)

// A service inside a module builds, passes its tests and has no errors after the printed
// commands have run.
func TestEndToEndServiceInAModule(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	runtime, err := filepath.Abs("../../runtime")
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	module := filepath.Join(top, "backend")
	dir := filepath.Join(module, "services", "orders")
	if err := os.MkdirAll(module, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte("module example.com/shop\n\ngo 1.26.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	shell(t, top, "git init --quiet")
	s := shop{t, dir}
	status, out, errs := s.scaffold("new", "orders", "--dir", dir, "--in-module", "--runtime", runtime, "--output", "json")
	if status != cli.ExitDone {
		t.Fatalf("new: %s", errs)
	}
	var created struct {
		Module string   `json:"module"`
		Next   []string `json:"next"`
	}
	if err := json.Unmarshal([]byte(out), &created); err != nil || created.Module != "example.com/shop/services/orders" {
		t.Fatalf("%v: the module is %q", err, created.Module)
	}
	for _, gone := range []string{"go.mod", "go.sum"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); err == nil {
			t.Errorf("there is a %s of its own", gone)
		}
	}
	until := slices.Index(created.Next, "make run")
	if until < 0 {
		t.Fatalf("next: %q", created.Next)
	}
	shell(t, ".", strings.Join(created.Next[:until], " && ")+" && go vet ./... && go test ./...")
	s.check(cli.ExitDone)

	workflow := string(readFile(t, filepath.Join(top, ".github", "workflows", "orders.yml")))
	for _, want := range []string{"go-version-file: backend/go.mod", "cache-dependency-path: backend/go.sum", "working-directory: \"backend/services/orders\""} {
		if !strings.Contains(workflow, want) {
			t.Errorf("the workflow does not say %s", want)
		}
	}
	if dockerfile := string(readFile(t, filepath.Join(dir, "Dockerfile"))); !strings.Contains(dockerfile, "./services/orders/cmd/orders") {
		t.Errorf("the Dockerfile builds something else:\n%s", dockerfile)
	}
	shell(t, dir, "make vendor && test -d ../../vendor")
}

func TestInModuleWithoutAModuleIsRejected(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	s := shop{t, filepath.Join(top, "orders")}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "is not in a git repository; run git init in the root of the module"},
		{[]string{"--module", "example.com/x"}, "--in-module and --module exclude each other"},
	} {
		args := append([]string{"new", "orders", "--dir", s.dir, "--in-module"}, tt.args...)
		if status, _, errs := s.scaffold(args...); status != cli.ExitUsage || !strings.Contains(errs, tt.want) {
			t.Errorf("%q: status %d, %s", args, status, errs)
		}
	}
	shell(t, top, "git init --quiet")
	if status, _, errs := s.scaffold("new", "orders", "--dir", s.dir, "--in-module"); status != cli.ExitUsage || !strings.Contains(errs, "no go.mod above") {
		t.Errorf("status %d, %s", status, errs)
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("something was written")
	}
}

func shell(t *testing.T, dir, command string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-euc", command)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
