package backends

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build compiles a program with the versions of a module and returns its path.
func build(t *testing.T, module, program string, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(program))
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", bin}, flags...), program)...)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// config runs Mimir as a single process on loopback with all data in one directory.
// All else has Mimir's defaults, except the limits under test and
// min_ready_duration of the ingester, which is for clusters.
const config = `
multitenancy_enabled: false
usage_stats: {enabled: false}
server: {http_listen_address: 127.0.0.1, http_listen_port: 0, grpc_listen_address: 127.0.0.1, grpc_listen_port: %[1]d}
common: {storage: {backend: filesystem}}
blocks_storage: {filesystem: {dir: blocks}, tsdb: {dir: tsdb}, bucket_store: {sync_dir: sync}}
ruler_storage: {filesystem: {dir: rules}}
alertmanager_storage: {filesystem: {dir: alertmanager}}
ruler: {rule_path: ruler, ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}}
ingester: {ring: {instance_addr: 127.0.0.1, min_ready_duration: 0s, replication_factor: 1, kvstore: {store: inmemory}}}
distributor: {ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}}
store_gateway: {sharding_ring: {instance_addr: 127.0.0.1, replication_factor: 1, kvstore: {store: inmemory}}}
compactor: {data_dir: compactor, sharding_ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}}
frontend: {address: 127.0.0.1}
query_scheduler: {ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}}
memberlist: {bind_addr: [127.0.0.1], bind_port: 0}
limits: {%[2]s}
`

// server is a running Mimir.
type server struct{ url string }

// start runs Mimir with the limits, in the syntax of its configuration.
func start(t *testing.T, bin, limits string) server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mimir.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, freePort(t), limits), 0o600); err != nil {
		t.Fatal(err)
	}
	s := server{run(t, bin, "-config.file="+file)}
	eventually(t, "Mimir is ready", func() string { return s.notReady(t.Context()) })
	return s
}

// run starts a program in a directory of its own and returns the URL that it serves, from its log.
func run(t *testing.T, bin string, args ...string) (url string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.SysProcAttr = t.TempDir(), childAttr()
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := newTail(logs)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-log.ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(bin), err, log)
		}
	})
	select {
	case address := <-log.address:
		return "http://" + address
	case <-log.ended:
		t.Fatalf("%s ended before it listened:\n%s", filepath.Base(bin), log)
	case <-time.After(2 * time.Minute): // a new version may log another message
		_ = cmd.Process.Kill() // which ends the log
		t.Fatalf("%s has not logged its address after two minutes:\n%s", filepath.Base(bin), log)
	}
	return ""
}

// notReady returns why the server is not ready, or "".
func (s server) notReady(ctx context.Context) string {
	status, body, err := get(ctx, s.url+"/ready")
	if err != nil {
		return err.Error()
	}
	if status != http.StatusOK {
		return string(body)
	}
	return ""
}

// freePort returns a port of a server that does not report which one it chose for 0.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// tail has the last 20 lines of a log.
type tail struct {
	address chan string   // where the program listens
	ended   chan struct{} // closed at the end of the log; then lines may be read
	lines   []string
}

// listening matches the message of Mimir, and that of Prometheus and Thanos.
var listening = regexp.MustCompile(`msg="(?:server listening on addresses" http|Listening on"(?: component=web)? address)=(\S+)`)

func newTail(log io.Reader) *tail {
	t := &tail{address: make(chan string, 1), ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		in := bufio.NewReader(log)
		for {
			line, err := in.ReadString('\n')
			if t.lines = append(t.lines, line); len(t.lines) > 20 {
				t.lines = t.lines[1:]
			}
			if found := listening.FindStringSubmatch(line); found != nil {
				select {
				case t.address <- found[1]:
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return t
}

func (t *tail) String() string {
	<-t.ended
	return strings.Join(t.lines, "")
}

// eventually waits until the check returns "", at most two minutes.
func eventually(t *testing.T, what string, check func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		problem := check()
		if problem == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("timeout after two minutes: want that %s: %s", what, problem)
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // Mimir does not respond if no querier takes the request
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// query runs a query and returns the error of Mimir's query engine, or "".
func (s server) query(ctx context.Context, expr string, at time.Time) string {
	values := url.Values{"query": {expr}, "time": {strconv.FormatInt(at.Unix(), 10)}}
	_, body, err := get(ctx, s.url+"/prometheus/api/v1/query?"+values.Encode())
	if err != nil {
		return err.Error()
	}
	var response struct {
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return string(body)
	}
	if response.Status != "success" {
		return response.Error
	}
	return ""
}
