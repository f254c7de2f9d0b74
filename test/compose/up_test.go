package compose

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var row = regexp.MustCompile("(?m)^\\| a laptop with Docker \\| `(docker compose [^`]+)`")

// command returns the command of the README that starts the stack.
func command(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := row.FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("no row of the README matches %s", row)
	}
	return found[1]
}

// docker returns a directory with a docker command that has only the compose plugin.
func docker(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plugin := filepath.Join(dir, "docker-compose")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", plugin, "github.com/docker/compose/v5/cmd").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = compose ] || exit 64\nshift\nexec %s \"$@\"\n", plugin)
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// up runs the command of the README in the directory and returns the started containers.
func up(t *testing.T, programs, service string) []container {
	t.Helper()
	e := newEngine()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	line := command(t)
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", line)
	cmd.Dir = service
	cmd.Env = []string{
		"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"DOCKER_HOST=tcp://" + strings.TrimPrefix(server.URL, "http://"),
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s\nrequests that the engine does not implement: %q", line, err, out, e.unknown)
	}
	if len(e.unknown) > 0 {
		t.Errorf("requests that the engine does not implement: %q", e.unknown)
	}
	return e.started
}

func TestComposeStartsTheStack(t *testing.T) {
	t.Parallel()
	programs := docker(t)
	for _, name := range []string{"orders", "minimal"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := up(t, programs, filepath.Join("..", "..", "examples", name))
			var services []string
			for _, c := range started {
				services = append(services, c.service())
				checkMounts(t, c)
				checkPorts(t, c)
			}
			after(t, services, "grafana", "prometheus", "tempo", "loki", "pyroscope")
			after(t, services, "collector", "tempo", "loki")
			for service, file := range map[string]string{
				"grafana": "/etc/grafana/provisioning/dashboards/dashboards.yaml", "collector": "/etc/collector.yaml",
				"tempo": "/etc/tempo.yaml", "loki": "/etc/loki.yaml",
			} {
				i := slices.IndexFunc(started, func(c container) bool { return c.service() == service })
				if i < 0 || !slices.Contains(started[i].Files, file) {
					t.Errorf("%s starts without the file %s", service, file)
				}
			}
			if len(services) != 6 {
				t.Errorf("started %q, want the six services of the stack", services)
			}
		})
	}
}

// after checks that a service starts after others.
func after(t *testing.T, order []string, service string, others ...string) {
	t.Helper()
	at := slices.Index(order, service)
	for _, other := range others {
		if before := slices.Index(order, other); before < 0 || before > at {
			t.Errorf("%s does not start after %s: %q", service, other, order)
		}
	}
}

// checkMounts checks that each mounted file or directory exists. Docker would create
// an empty directory for a missing one.
func checkMounts(t *testing.T, c container) {
	t.Helper()
	var sources []string
	for _, bind := range c.HostConfig.Binds {
		source, _, _ := strings.Cut(bind, ":")
		sources = append(sources, source)
	}
	for _, m := range c.HostConfig.Mounts {
		if m.Type == "bind" {
			sources = append(sources, m.Source)
		}
	}
	for _, source := range sources {
		if !filepath.IsAbs(source) {
			continue // a volume
		}
		if _, err := os.Stat(source); err != nil {
			t.Errorf("%s mounts %v", c.service(), err)
		}
	}
	for _, argument := range c.Cmd {
		checkArgument(t, c, argument)
	}
}

// checkArgument checks that a configuration file in the arguments is mounted or
// copied into the container.
func checkArgument(t *testing.T, c container, argument string) {
	t.Helper()
	_, file, ok := strings.Cut(argument, "config.file=")
	if !ok {
		if _, file, ok = strings.Cut(argument, "--config="); !ok {
			return
		}
	}
	present := slices.Contains(c.Files, file) || slices.ContainsFunc(c.HostConfig.Binds, func(bind string) bool { return strings.Contains(bind, ":"+file+":") })
	for _, m := range c.HostConfig.Mounts {
		present = present || m.Target == file
	}
	if !present {
		t.Errorf("%s reads %s, which is not in the container", c.service(), file)
	}
}

// checkPorts checks that every port is bound to 127.0.0.1.
func checkPorts(t *testing.T, c container) {
	t.Helper()
	for port, bindings := range c.HostConfig.PortBindings {
		for _, b := range bindings {
			if b.HostIP != "127.0.0.1" {
				t.Errorf("%s binds port %s to %q, want 127.0.0.1", c.service(), port, b.HostIP)
			}
		}
	}
}
