//go:build unix

package overload

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// childVariable is the environment variable with the plan of a process that runs as a server.
const childVariable = "OVERLOAD_TEST_CHILD"

func TestMain(m *testing.M) {
	if plan := os.Getenv(childVariable); plan != "" {
		if err := beChild(plan); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childPlan describes a server under load.
type childPlan struct {
	Limiter Config
	Workers int           // size of a pool that every request needs; 0 for none
	Takes   time.Duration // sleep of a request
	Spins   int           // rounds of computation of a request
	Holds   int           // bytes held by a request
	Full    bool          // every request is rejected
	Grown   int           // current limit; its initial value if 0
}

// childReport has the measurements of the server.
type childReport struct {
	Served, Shed   int64
	ServedAge      float64 // mean seconds between the client's clock and the handler, of served requests
	CPU, CPUBefore float64 // seconds, at the end and at the start
	SchedulerP50   float64 // seconds that a runnable goroutine waited
	SchedulerP99   float64
	Limit          int
	MemoryShed     int64
	MemLimit       int64
}

// sentHeader has the time when the client sent a request, in nanoseconds of the shared clock.
const sentHeader = "X-Test-Sent"

type child struct {
	plan    childPlan
	limiter *Limiter
	pool    chan struct{}
	served  atomic.Int64
	shed    atomic.Int64
	age     atomic.Int64
	memory  atomic.Int64
	sink    atomic.Uint64
	limit   int64
}

// beChild serves until standard input is closed, which happens when the parent ends.
func beChild(text string) error {
	c := &child{}
	if err := json.Unmarshal([]byte(text), &c.plan); err != nil { //nolint:musttag // both ends are in this file
		return err
	}
	if limit, err := SetMemoryLimit(c.plan.Limiter.MemoryRatio); err == nil {
		c.limit = limit
	}
	var err error
	c.limiter, err = New(Options{Config: c.plan.Limiter, Metrics: telemetry.NewRegistry(telemetry.Classic)})
	if err != nil {
		return err
	}
	if c.plan.Full {
		c.limiter.memory.from, c.limiter.memory.share = [priorities]float64{}, func() float64 { return 1 }
		c.limiter.config.InitialLimit = 0
	}
	if c.plan.Grown > 0 {
		c.limiter.rule.limit = float64(c.plan.Grown)
	}
	c.pool = make(chan struct{}, c.plan.Workers)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	before, cpuBefore := schedulerLatencies(), cpu()
	server := &http.Server{Handler: c.handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return json.NewEncoder(os.Stdout).Encode(c.report(before, cpuBefore)) //nolint:musttag // both ends are in this file
}

func (c *child) handler() http.Handler {
	limited := c.limiter.Wrap(http.HandlerFunc(c.work), func(w http.ResponseWriter, r *http.Request, err error) {
		c.shed.Add(1)
		if errors.Is(err, ReasonMemory) {
			c.memory.Add(1)
		}
		rejectPlainly(w, r, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := strconv.ParseInt(r.Header.Get(sentHeader), 10, 64)
		age := time.Since(time.Unix(0, sent))
		limited.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ageKey{}, age)))
	})
}

type ageKey struct{}

func (c *child) work(w http.ResponseWriter, r *http.Request) {
	age, _ := r.Context().Value(ageKey{}).(time.Duration)
	c.served.Add(1)
	c.age.Add(int64(age))
	held := make([]byte, c.plan.Holds)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	if c.plan.Workers > 0 {
		c.pool <- struct{}{}
		defer func() { <-c.pool }()
	}
	if c.plan.Takes > 0 {
		time.Sleep(c.plan.Takes)
	}
	c.sink.Add(spin(c.plan.Spins) + uint64(len(held)))
	for i := 0; i < len(held); i += 4096 {
		c.sink.Add(uint64(held[i]))
	}
	_, _ = io.WriteString(w, "done\n")
}

// spin computes and can be preempted.
func spin(rounds int) uint64 {
	x := uint64(88172645463325252)
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func (c *child) report(before *metrics.Float64Histogram, cpuBefore float64) childReport {
	after := schedulerLatencies()
	served := c.served.Load()
	return childReport{
		Served: served, Shed: c.shed.Load(), MemoryShed: c.memory.Load(),
		ServedAge: time.Duration(c.age.Load() / max(1, served)).Seconds(),
		CPU:       cpu(), CPUBefore: cpuBefore,
		SchedulerP50: quantile(before, after, 0.5), SchedulerP99: quantile(before, after, 0.99),
		Limit: int(c.limiter.rule.limit), MemLimit: c.limit,
	}
}

func cpu() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func schedulerLatencies() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64Histogram()
}

func quantile(before, after *metrics.Float64Histogram, q float64) float64 {
	total := uint64(0)
	for i := range after.Counts {
		total += after.Counts[i] - before.Counts[i]
	}
	seen := uint64(0)
	for i := range after.Counts {
		if seen += after.Counts[i] - before.Counts[i]; float64(seen) >= q*float64(total) {
			return after.Buckets[i]
		}
	}
	return 0
}

type process struct {
	url    string
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

func startChild(t *testing.T, plan childPlan, env ...string) *process {
	t.Helper()
	return startCommand(t, exec.CommandContext(t.Context(), childBinary(t)), plan, env...)
}

// childBinary builds this package's test binary without the race detector, which multiplies
// memory and CPU time.
func childBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "child")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	return path
}

func startCommand(t *testing.T, cmd *exec.Cmd, plan childPlan, env ...string) *process {
	t.Helper()
	text, err := json.Marshal(plan) //nolint:musttag // both ends are in this file
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	p.cmd.Env = append(append(os.Environ(), childVariable+"="+string(text)), env...)
	p.cmd.Stderr = os.Stderr
	out, errOut := p.cmd.StdoutPipe()
	in, errIn := p.cmd.StdinPipe()
	if errOut != nil || errIn != nil {
		t.Fatal(errOut, errIn)
	}
	p.stdin, p.stdout = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = p.cmd.Wait()
	})
	addr, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("the child wrote nothing: %v", err)
	}
	p.url = "http://" + addr[:len(addr)-1] + "/"
	return p
}

// end stops the child and returns its report. It returns false if the child was killed.
func (p *process) end(t *testing.T) (childReport, bool) {
	t.Helper()
	_ = p.stdin.Close()
	var r childReport
	err := json.NewDecoder(p.stdout).Decode(&r) //nolint:musttag // both ends are in this file
	if exit := p.cmd.Wait(); exit != nil || err != nil {
		t.Logf("the child ended with %v", exit)
		return r, false
	}
	return r, true
}

// responses are the results of an open-loop client.
type responses struct {
	sent, good, late, shed, failed int
}

func (a responses) String() string {
	return fmt.Sprintf("sent %d good %d late %d shed %d failed %d", a.sent, a.good, a.late, a.shed, a.failed)
}

// offer sends requests at a rate, independently of earlier responses. Clients disconnect after
// patience, and send it as a timeout if sendsTimeout is true.
func offer(ctx context.Context, url string, rate float64, last, patience time.Duration, sendsTimeout bool) responses {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DialContext: (&net.Dialer{Timeout: patience}).DialContext}
	defer transport.CloseIdleConnections()
	var mu sync.Mutex
	var a responses
	var requests sync.WaitGroup
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	began := time.Now()
	for time.Since(began) < last {
		<-ticker.C
		for float64(a.sent) < rate*time.Since(began).Seconds() {
			a.sent++
			requests.Go(func() {
				status, took := ask(ctx, transport, url, patience, sendsTimeout)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case status == http.StatusOK && took <= patience:
					a.good++
				case status == http.StatusServiceUnavailable:
					a.shed++
				case took >= patience:
					a.late++
				default:
					a.failed++
				}
			})
		}
	}
	requests.Wait()
	return a
}

func ask(ctx context.Context, transport *http.Transport, url string, patience time.Duration, sendsTimeout bool) (status int, took time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, 0
	}
	began := time.Now()
	r.Header.Set(sentHeader, strconv.FormatInt(began.UnixNano(), 10))
	if sendsTimeout {
		r.Header.Set("X-Envoy-Expected-Rq-Timeout-Ms", strconv.FormatInt(patience.Milliseconds(), 10))
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, time.Since(began)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, time.Since(began)
}
