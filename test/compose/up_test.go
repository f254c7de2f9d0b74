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

// command is what the README tells those to type who have Docker.
func command(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := row.FindStringSubmatch(string(text))
	if found == nil {
		t.Fatal("the README no longer says how to bring the stack up")
	}
	return found[1]
}

// docker puts a docker command into a directory of programs: Compose alone, which
// Docker itself would call as its plug-in.
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

// up types the README's command in the directory and returns what was started.
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
		t.Fatalf("%s\n%v\n%s\nthe engine does not know %q", line, err, out, e.unknown)
	}
	if len(e.unknown) > 0 {
		t.Errorf("the engine does not know %q", e.unknown)
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
					t.Errorf("%s starts without %s", service, file)
				}
			}
			if len(services) != 6 {
				t.Errorf("started %q, want the six parts of the stack", services)
			}
		})
	}
}

// after wants one service to start after others.
func after(t *testing.T, order []string, service string, others ...string) {
	t.Helper()
	at := slices.Index(order, service)
	for _, other := range others {
		if before := slices.Index(order, other); before < 0 || before > at {
			t.Errorf("%s starts before %s: %q", service, other, order)
		}
	}
}

// checkMounts wants each file or directory of the service that a container reads
// to be there: Docker makes an empty directory of one that is not.
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

// checkArgument wants a configuration that the container is told to read to be
// one of those that it was given.
func checkArgument(t *testing.T, c container, argument string) {
	t.Helper()
	_, file, ok := strings.Cut(argument, "config.file=")
	if !ok {
		if _, file, ok = strings.Cut(argument, "--config="); !ok {
			return
		}
	}
	given := slices.Contains(c.Files, file) || slices.ContainsFunc(c.HostConfig.Binds, func(bind string) bool { return strings.Contains(bind, ":"+file+":") })
	for _, m := range c.HostConfig.Mounts {
		given = given || m.Target == file
	}
	if !given {
		t.Errorf("%s reads %s, which nothing brings into it", c.service(), file)
	}
}

// checkPorts wants every port to be open to this machine alone.
func checkPorts(t *testing.T, c container) {
	t.Helper()
	for port, bindings := range c.HostConfig.PortBindings {
		for _, b := range bindings {
			if b.HostIP != "127.0.0.1" {
				t.Errorf("%s opens %s on %q", c.service(), port, b.HostIP)
			}
		}
	}
}
