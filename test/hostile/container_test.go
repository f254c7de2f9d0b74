package hostile

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/servicetest/cgroup"
)

const orders = "../../examples/orders"

// container returns the memory request and limit of the generated manifest, in MiB.
func container(t *testing.T) (request, limit int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(orders, "deploy/base/deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`requests: {.*memory: (\d+)Mi}(?:\n\s+#.*)*\n\s+limits: {memory: (\d+)Mi}\n`).FindAllSubmatch(text, -1)
	if len(found) == 0 {
		t.Fatal("the manifest has no memory limit in Mi")
	}
	last := found[len(found)-1] // the init container comes first
	request, _ = strconv.ParseInt(string(last[1]), 10, 64)
	limit, _ = strconv.ParseInt(string(last[2]), 10, 64)
	return request, limit
}

// startBinary starts the generated program with PostgreSQL and the memory limit of its manifest. stop sends
// SIGTERM and returns the result of the process.
func startBinary(t *testing.T, memory *cgroup.Memory, request int64) (url string, stop func() error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "orders")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", orders, "-o", program, "./cmd/orders").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := memory.Command(t.Context(), program)
	cmd.Env = append(os.Environ(), "HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "ACCESS_LOG=off", "GOMAXPROCS=1",
		"GOMEMLIMIT="+strconv.FormatInt(request, 10)+"MiB", "POSTGRES_MIGRATE=true", "POSTGRES_URL="+postgrestest.Database(t))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	stop = sync.OnceValue(func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		return <-exited
	})
	t.Cleanup(func() { _ = stop() })
	started := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line struct {
				Msg  string `json:"msg"`
				Addr string `json:"http_addr"`
			}
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "service started" {
				started <- line.Addr
			}
		}
		exited <- cmd.Wait()
		close(started)
	}()
	addr := <-started
	if addr == "" {
		t.Fatalf("the service exited before it was ready: %v", stop())
	}
	return "http://" + addr, stop
}

// statusOf sends a request and returns the status of the response, 0 if there is none.
func statusOf(t *testing.T, transport *http.Transport, method, url, body string) int {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", rand.Text())
	res, err := transport.RoundTrip(r)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// While 40 parallel clients send the largest bodies for five seconds, the generated service stays within
// the memory limit of its manifest and all ordinary requests succeed.
func TestEndToEndLargeBodiesFitTheContainer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("TestEndToEndLargeBodiesFitTheContainer: loads a real process for five seconds")
	}
	const attackers, lasts = 40, 5 * time.Second
	request, limit := container(t)
	memory := cgroup.NewMemory(t, limit<<20)
	url, stop := startBinary(t, memory, request)
	transport := &http.Transport{MaxIdleConnsPerHost: attackers + 2}
	defer transport.CloseIdleConnections()
	end := time.Now().Add(lasts)
	var attack, others sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	bodies := largeBodies()
	for range attackers {
		attack.Go(func() {
			for time.Now().Before(end) {
				for _, b := range bodies { // in another order for each client
					status := statusOf(t, transport, http.MethodPost, url+"/v1/orders", b.body)
					mu.Lock()
					statuses[status]++
					mu.Unlock()
				}
			}
		})
	}
	var succeeded, failed atomic.Int64
	for body, want := range map[string]int{"": http.StatusOK, `{"name":"a"}`: http.StatusCreated} {
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		others.Go(func() {
			for time.Now().Before(end) {
				if statusOf(t, transport, method, url+"/v1/orders", body) == want {
					succeeded.Add(1)
				} else {
					failed.Add(1)
				}
			}
		})
	}
	attack.Wait()
	others.Wait()
	peak, err := memory.Peak()
	t.Logf("statuses of the large bodies: %v; %d ordinary requests succeeded; peak memory %d bytes of %d MiB (%v)", statuses, succeeded.Load(), peak, limit, err)
	if succeeded.Load() == 0 || failed.Load() > 0 {
		t.Errorf("%d ordinary requests succeeded and %d failed", succeeded.Load(), failed.Load())
	}
	if statuses[http.StatusRequestEntityTooLarge] == 0 || statuses[http.StatusInternalServerError] > 0 {
		t.Errorf("statuses of the large bodies: %v, want some 413 and no 500", statuses)
	}
	if peak >= limit<<20 {
		t.Errorf("peak memory of %d bytes reached the limit of %d MiB", peak, limit)
	}
	if err := stop(); err != nil {
		t.Errorf("the service exited with %v", err)
	}
}
