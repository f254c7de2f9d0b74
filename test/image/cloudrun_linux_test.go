package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	cloudrun "google.golang.org/api/run/v1"

	"github.com/observability-first/scaffold/runtime/servicetest"
)

// killedAfter is the time from SIGTERM to SIGKILL on Cloud Run.
const killedAfter = 10 * time.Second

// payments generates and builds a service for Cloud Run.
var payments = sync.OnceValues(func() (dir string, err error) {
	ctx := context.Background()
	dir = filepath.Join(workDir, "payments")
	if out, err := try(ctx, workDir, nil, "scaffold", "new", "payments", "--owner", "team-shop", "--module", "acme.test/payments", "--runtime", "runtime"); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	spec, err := os.OpenFile(filepath.Join(dir, "scaffold.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_, err = spec.WriteString("telemetry: {metrics: push}\ndeploy: {platforms: [cloud-run], image: registry.acme.test/shop/payments}\n")
	if err := firstOf(err, spec.Close()); err != nil {
		return "", err
	}
	for _, command := range [][]string{{"scaffold", "generate"}, {"go", "build", "-o", "bin/payments", "./cmd/payments"}} {
		if out, err := try(ctx, dir, nil, command[0], command[1:]...); err != nil {
			return "", fmt.Errorf("%v: %w\n%s", command, err, out)
		}
	}
	return dir, nil
})

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// manifest parses the manifest with the types of the Cloud Run API. Unknown keys
// are errors.
func manifest(t *testing.T) (string, *cloudrun.Container, *cloudrun.Service) {
	t.Helper()
	dir, err := payments()
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(read(t, dir, "deploy/cloud-run/service.yaml"), &document); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	strict := json.NewDecoder(bytes.NewReader(encoded))
	strict.DisallowUnknownFields()
	service := &cloudrun.Service{}
	if err := strict.Decode(service); err != nil {
		t.Fatal(err)
	}
	return dir, service.Spec.Template.Spec.Containers[0], service
}

func TestTheManifestIsCloudRuns(t *testing.T) {
	t.Parallel()
	_, container, service := manifest(t)
	revision := service.Spec.Template
	if service.ApiVersion != "serving.knative.dev/v1" || service.Kind != "Service" || service.Metadata.Name != "payments" {
		t.Errorf("the object is %s %s %s", service.ApiVersion, service.Kind, service.Metadata.Name)
	}
	if a := revision.Metadata.Annotations; a["autoscaling.knative.dev/minScale"] != "3" || a["autoscaling.knative.dev/maxScale"] != "10" || a["run.googleapis.com/cpu-throttling"] != "false" {
		t.Errorf("annotations %v", a)
	}
	if revision.Spec.ContainerConcurrency != 20 || container.Image != "registry.acme.test/shop/payments:unreleased" || len(container.Ports) != 1 {
		t.Errorf("concurrency %d, image %s, ports %v", revision.Spec.ContainerConcurrency, container.Image, container.Ports)
	}
	if l := container.Resources.Limits; l["cpu"] != "1" || l["memory"] != "512Mi" {
		t.Errorf("limits %v", l)
	}
	for _, probe := range []*cloudrun.Probe{container.StartupProbe, container.LivenessProbe} {
		if probe.HttpGet.Port != 0 || probe.TimeoutSeconds > probe.PeriodSeconds || probe.FailureThreshold == 0 {
			t.Errorf("probe %+v of %+v", probe, probe.HttpGet)
		}
	}
	for _, v := range container.Env {
		if v.Name == "PORT" || strings.HasPrefix(v.Name, "K_") {
			t.Errorf("the manifest sets %s, which Cloud Run sets", v.Name)
		}
		if from := v.ValueFrom; from != nil && (from.SecretKeyRef.Key != "latest" || !strings.HasPrefix(from.SecretKeyRef.Name, "payments-")) {
			t.Errorf("%s references %+v, want the latest version of a secret payments-*", v.Name, from.SecretKeyRef)
		}
	}
}

// onCloudRun starts the service with the environment variables that Cloud Run
// sets, and no others.
func onCloudRun(t *testing.T, collector string) (p *process, url string) {
	t.Helper()
	dir, container, _ := manifest(t)
	secrets := map[string]string{"payments-otlp-endpoint": collector, "payments-resource-attributes": "deployment.environment.name=prod"}
	port := freePort(t)
	env := []string{"PORT=" + port, "K_SERVICE=payments", "K_REVISION=payments-00001-abc", "K_CONFIGURATION=payments"}
	for _, v := range container.Env {
		value := v.Value
		if v.ValueFrom != nil {
			if value = secrets[v.ValueFrom.SecretKeyRef.Name]; value == "" {
				t.Fatalf("%s references an unknown secret: %+v", v.Name, v.ValueFrom.SecretKeyRef)
			}
		}
		env = append(env, v.Name+"="+value)
	}
	p = startProcess(t, &exec.Cmd{
		Path: filepath.Join(dir, "bin/payments"), Args: []string{"payments"}, Dir: t.TempDir(), Env: env,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	url = "http://127.0.0.1:" + port
	p.line("service started")
	eventually(t, "the startup probe succeeds", func() bool { return code(t, url+container.StartupProbe.HttpGet.Path) == http.StatusOK })
	return p, url
}

// freePort returns a free port: Cloud Run sets PORT to a number.
func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func code(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// eventually checks a condition every 10 ms.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for !check() {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			t.Fatalf("timeout after %s: want that %s", waitTimeout, what)
		}
	}
}

func TestTheServiceRunsOnCloudRun(t *testing.T) {
	t.Parallel()
	collector := servicetest.NewReceiver(t)
	p, url := onCloudRun(t, collector.URL)

	if want := []string{strings.TrimPrefix(url, "http://127.0.0.1:")}; !slices.Equal(listening(t, p.cmd.Process.Pid), want) {
		t.Errorf("the process listens on %v, want only %v", listening(t, p.cmd.Process.Pid), want)
	}
	_, container, _ := manifest(t)
	for path, want := range map[string]int{
		container.StartupProbe.HttpGet.Path: 200, container.LivenessProbe.HttpGet.Path: 200, "/readyz": 200,
		"/v1/payments": 200, "/metrics": 404, "/debug/pprof/": 404, "/debug/pprof/profile": 404, "/loglevel": 404,
	} {
		if got := code(t, url+path); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}
	eventually(t, "metrics are pushed", func() bool { return slices.Contains(collector.Metrics(), "http_server_requests_total") })

	const drainMetric = "runtime_drain_phase_seconds" // exists from the start of a shutdown
	if slices.Contains(collector.Metrics(), drainMetric) {
		t.Errorf("%s was pushed before the stop", drainMetric)
	}
	if took := p.stop(killedAfter); took > killedAfter/2 {
		t.Errorf("the stop took %s without requests in flight, want at most %s", took, killedAfter/2)
	}
	if !slices.Contains(collector.Metrics(), drainMetric) {
		t.Error("the metrics of the stop were not flushed")
	}
}

// A collector that accepts connections and never responds does not delay the stop
// until SIGKILL.
func TestTheServiceStopsBeforeCloudRunKillsIt(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	collector := newHangingCollector(t, release)
	p, url := onCloudRun(t, collector)
	if got := code(t, url+"/v1/payments"); got != http.StatusOK {
		t.Errorf("GET /v1/payments: %d", got)
	}
	took := p.stop(killedAfter)
	t.Logf("stopped after %s", took)
	close(release)
}

func newHangingCollector(t *testing.T, release <-chan struct{}) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: waitTimeout, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// listening returns the ports on which the process listens, from /proc.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	own := map[string]bool{}
	fds := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil { // otherwise it has just been closed
			own[target] = true
		}
	}
	var ports []string
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		for line := range strings.Lines(string(read(t, fmt.Sprintf("/proc/%d/net/%s", pid, table)))) {
			fields := strings.Fields(line)
			if len(fields) < 10 || !own["socket:["+fields[9]+"]"] {
				continue
			}
			const listens, unconnected = "0A", "07" // TCP_LISTEN; UDP has no connection
			if fields[3] != listens && (fields[3] != unconnected || !strings.HasPrefix(table, "udp")) {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, strconv.FormatUint(port, 10))
		}
	}
	return ports
}
