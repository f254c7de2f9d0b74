//go:build unix

package runtime_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/runtime/servicetest/cgroup"
)

// keeper opens a connection, sends one request and keeps the connection open.
func keeper(t *testing.T, addr string) (conn net.Conn, res *http.Response, err error) {
	t.Helper()
	conn, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(servicetest.Timeout)); err != nil {
		return conn, nil, err
	}
	if _, err := io.WriteString(conn, "GET /orders/1 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return conn, nil, err
	}
	r := bufio.NewReaderSize(conn, 512)
	if res, err = http.ReadResponse(r, nil); err != nil {
		return conn, nil, err
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil || !res.Close {
		return conn, res, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return conn, res, fmt.Errorf("Connection: close is followed by %d bytes and %w", n, err)
	}
	return conn, res, nil
}

func (p *child) metricOf(t *testing.T, name string) float64 {
	t.Helper()
	res, err := http.Get(p.adminURL + "/metrics")
	if err != nil {
		t.Error(err)
		return 0
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil || families[name] == nil {
		t.Errorf("metric %s: %v", name, err)
		return 0
	}
	return families[name].GetMetric()[0].GetGauge().GetValue()
}

// peakRSS returns the peak memory of the process: VmHWM of Linux.
func (p *child) peakRSS(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(text, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	return string(bytes.TrimSpace(line))
}

// childBinary is this test binary. The race detector multiplies its memory: make simulations
// runs the tests that need it without.
func childBinary(t *testing.T) string {
	t.Helper()
	if raceEnabled {
		t.Skipf("%s: measures memory; make simulations runs it without the race detector", t.Name())
	}
	return os.Args[0]
}

// 9,000 clients that keep their connections open do not exceed the memory limit of the container:
// from three quarters of the limit, responses close their connections, and new clients get
// responses.
func TestIdleConnectionsStayWithinTheMemoryLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("TestIdleConnectionsStayWithinTheMemoryLimit: opens 9,000 connections")
	}
	const (
		container = 256 << 20 // of the generated manifest
		clients   = 9000
		bound     = container * 9 / 10 / 4 / (32 << 10) // OVERLOAD_MEMORY_RATIO, a quarter, the cost of a connection
	)
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < clients+500 {
		t.Skipf("%s: NOT RUN, a process may open %d files (%v); raise ulimit -n to %d", t.Name(), files.Cur, err, clients+500)
	}
	limited := cgroup.NewMemory(t, container)
	p := startChild(t, childPlan{Role: roleServe, Limited: true}, limited.Command(t.Context(), childBinary(t)))
	addr := strings.TrimPrefix(p.url, "http://")
	if got := p.metricOf(t, semconv.HTTPServerOpenConnectionsMax); got != bound {
		t.Fatalf("%g connections may be open, want %d", got, bound)
	}
	var left, kept, closed, most atomic.Int64
	left.Store(clients)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				conn, res, err := keeper(t, addr)
				if conn != nil {
					t.Cleanup(func() { _ = conn.Close() })
				}
				switch {
				case err != nil || res.StatusCode != http.StatusOK:
					t.Errorf("a client got no response: %v", err)
					left.Store(0)
				case res.Close:
					closed.Add(1)
				default:
					kept.Add(1)
				}
				if n%100 == 0 {
					most.Store(max(most.Load(), int64(p.metricOf(t, semconv.HTTPServerOpenConnections))))
				}
			}
		})
	}
	all.Wait()
	peak, err := limited.Peak()
	t.Logf("%d connections were kept and %d closed; at most %d of %d were open; peak: %d bytes of %d in the cgroup (%v), RSS %s",
		kept.Load(), closed.Load(), most.Load(), bound, peak, container, err, p.peakRSS(t))
	if kept.Load() < bound/2 || kept.Load() > bound || kept.Load()+closed.Load() != clients {
		t.Errorf("of %d connections, %d were kept and %d closed", clients, kept.Load(), closed.Load())
	}
	if most.Load() < bound/2 || most.Load() > bound {
		t.Errorf("%d connections were open, the limit is %d", most.Load(), bound)
	}
	if peak >= container {
		t.Errorf("the memory limit of %d bytes was reached", container)
	}
	later := &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: matrixDeadline}
	if code := get(later, p.url+"/orders/1"); code != http.StatusOK {
		t.Errorf("a later client got %d", code)
	}
	if err := p.end(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
}

// Connections without a request, or only with requests that no handler serves, fill the limit
// until the header timeout. Then the next client gets a response. net/http itself closes
// connections without a byte of a request at the header timeout.
func TestSilentConnectionsGiveTheirPlacesBack(t *testing.T) {
	t.Parallel()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	// GET http://a/ with the field "te: x"; net/http responds with 400 itself.
	const invalid = "\x00\x00\x0c\x01\x05\x00\x00\x00\x01" + "\x82\x86\x84\x41\x01a" + "\x00\x02te\x01x"
	for name, tc := range map[string]struct{ send, adminAddr string }{
		"the HTTP/2 preface":             {preface, "127.0.0.1:0"},
		"an invalid request over HTTP/2": {preface + invalid, "127.0.0.1:0"},
		"a probe on the request port":    {"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const bound, silent = 4, 12
			svc := servicetest.Start(t, info, runtime.Defaults{}, attacked, "HTTP_H2C=true", "ADMIN_ADDR="+tc.adminAddr,
				"HTTP_HEADER_TIMEOUT=300ms", "HTTP_IDLE_TIMEOUT=1h", fmt.Sprintf("HTTP_MAX_CONNECTIONS=%d", bound))
			for range silent {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(svc.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				if _, err := io.WriteString(conn, tc.send); err != nil {
					t.Fatal(err)
				}
			}
			next := &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: servicetest.Timeout}
			if code := get(next, svc.URL+"/ordinary"); code != http.StatusOK {
				t.Errorf("the next client got %d", code)
			}
		})
	}
}

// header returns the start of a request with the given number of fields and length of values.
func header(fields, value int) string {
	var b strings.Builder
	b.WriteString("POST /orders/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n")
	for i := range fields {
		fmt.Fprintf(&b, "%s:%s\r\n", strconv.FormatInt(int64(36*36+i), 36), strings.Repeat("x", value))
	}
	return b.String()
}

func frame(kind, flags byte, stream int, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(head, flags), uint32(stream))) + payload
}

// literal returns a literal field without indexing and Huffman code (RFC 7541, section 6.2.2).
func literal(name, value string) string {
	text := func(s string) string {
		if len(s) < 127 {
			return string(rune(len(s))) + s
		}
		return "\x7f" + string(binary.AppendUvarint(nil, uint64(len(s)-127))) + s
	}
	return "\x00" + text(name) + text(value)
}

// streams returns the bytes of an HTTP/2 connection with the maximum number of requests. window
// is the flow-control window of each response.
func streams(window uint32, fields string) string {
	const headers, data, settings, continuation, endStream, endHeaders = 1, 0, 4, 9, 1, 4
	var b strings.Builder
	b.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b.WriteString(frame(settings, 0, 0, "\x00\x04"+string(binary.BigEndian.AppendUint32(nil, window))))
	for stream := 1; stream < 200; stream += 2 {
		kind, block := byte(headers), "\x83\x86"+literal(":path", "/orders/1")+literal(":authority", "a")+fields // POST
		for len(block) > 16<<10 {
			b.WriteString(frame(kind, 0, stream, block[:16<<10]))
			kind, block = continuation, block[16<<10:]
		}
		b.WriteString(frame(kind, endHeaders, stream, block) + frame(data, endStream, stream, ""))
	}
	return b.String()
}

// literals returns the given number of fields with values of the given length.
func literals(fields, value int) string {
	var b strings.Builder
	for i := range fields {
		b.WriteString(literal(strconv.FormatInt(int64(36*36+i), 36), strings.Repeat("x", value)))
	}
	return b.String()
}

// holders keep connections open with unfinished requests until the service closes them.
func holders(t *testing.T, addr string, connections int, send string) {
	t.Helper()
	request := []byte(send) // shared by all connections
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = conn.Write(request)
			_, _ = io.Copy(io.Discard, conn)
		})
	}
	all.Wait()
}

// Headers do not exceed the memory limit of the container: neither many fields, nor the largest
// allowed headers on all connections, nor 100 of them on each of 300 HTTP/2 connections.
func TestHeadersStayWithinTheMemoryLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("TestHeadersStayWithinTheMemoryLimit: fills the memory of a process")
	}
	const container, bound = 256 << 20, 1843
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < bound+500 {
		t.Skipf("%s: NOT RUN, a process may open %d files (%v); raise ulimit -n to %d", t.Name(), files.Cur, err, bound+500)
	}
	binary := childBinary(t)
	for name, attack := range map[string]struct {
		connections int
		send        string
	}{
		"11,000 fields and part of a body":    {300, header(11_000, 0) + "\r\nx"},
		"11,000 fields without an end":        {300, header(11_000, 0)},
		"the largest allowed header":          {bound - 100, header(120, 120) + "\r\nx"},
		"650 fields after another request":    {bound - 100, "GET /orders/1 HTTP/1.1\r\nHost: a\r\n\r\n" + header(650, 0)},
		"the largest header without an end":   {bound - 100, header(120, 120)},
		"HTTP/2 streams, while HTTP/2 is off": {300, streams(0, literals(430, 110))},
	} {
		t.Run(name, func(t *testing.T) {
			limited := cgroup.NewMemory(t, container)
			p := startChild(t, childPlan{Role: roleServe, Limited: true}, limited.Command(t.Context(), binary), "HTTP_IDLE_TIMEOUT=1s")
			var attackers sync.WaitGroup
			attackers.Go(func() { holders(t, strings.TrimPrefix(p.url, "http://"), attack.connections, attack.send) })
			served := 0
			for range 20 {
				switch code := get(&http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: matrixDeadline}, p.url+"/orders/1"); code {
				case http.StatusOK:
					served++
				case http.StatusServiceUnavailable: // 1,743 requests at once may exceed the concurrency limit
				default:
					t.Errorf("another client got %d", code)
				}
			}
			if served == 0 {
				t.Error("another client got no response but 503")
			}
			attackers.Wait()
			peak, err := limited.Peak()
			t.Logf("peak: %d bytes of %d in the cgroup (%v), RSS %s", peak, container, err, p.peakRSS(t))
			if peak >= container {
				t.Errorf("the memory limit of %d bytes was reached", container)
			}
			if err := p.end(); err != nil {
				t.Errorf("the service ended with %v", err)
			}
		})
	}
}
