package httpserver_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// abilities lists the optional interfaces of a writer, and what a ResponseController supports.
func abilities(w http.ResponseWriter) []string {
	var list []string
	add := func(name string, ok bool) {
		if ok {
			list = append(list, name)
		}
	}
	_, flushes := w.(http.Flusher)
	_, hijacks := w.(http.Hijacker)
	_, reads := w.(io.ReaderFrom)
	_, pushes := w.(http.Pusher)
	_, writes := w.(io.StringWriter)
	add("Flusher", flushes)
	add("Hijacker", hijacks)
	add("ReaderFrom", reads)
	add("Pusher", pushes)
	add("StringWriter", writes)
	c := http.NewResponseController(w)
	add("SetReadDeadline", c.SetReadDeadline(time.Time{}) == nil)
	add("SetWriteDeadline", c.SetWriteDeadline(time.Time{}) == nil)
	add("EnableFullDuplex", c.EnableFullDuplex() == nil)
	add("Flush", c.Flush() == nil)
	return list
}

// The observed writer supports what the wrapped one does, for every protocol.
func TestWritersKeepTheirAbilities(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		http2 bool
		want  string // minimum, so that the comparison is not of empty lists
	}{
		"HTTP/1": {false, "Hijacker"},
		"HTTP/2": {true, "Pusher"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan []string, 1)
			note := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { got <- abilities(w) })
			get := func(h http.Handler) []string {
				server := httptest.NewUnstartedServer(h)
				server.EnableHTTP2 = tc.http2
				server.StartTLS()
				defer server.Close()
				res, err := server.Client().Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if want := map[bool]int{false: 1, true: 2}[tc.http2]; res.ProtoMajor != want {
					t.Fatalf("the protocol is %s", res.Proto)
				}
				return <-got
			}
			below := get(note)
			if above := get(newPass(t, telemetry.Sampling{}, note).handler); !slices.Equal(above, below) || !slices.Contains(below, tc.want) {
				t.Errorf("the writer supports %v, the wrapped one %v", above, below)
			}
		})
	}
	t.Run("httptest", func(t *testing.T) {
		t.Parallel()
		below := abilities(httptest.NewRecorder())
		var above []string
		newPass(t, telemetry.Sampling{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { above = abilities(w) })).get("/")
		if !slices.Equal(above, below) || !slices.Contains(below, "Flusher") {
			t.Errorf("the writer supports %v, the wrapped one %v", above, below)
		}
	})
}

// A file is written through ReadFrom, with its content type and size.
func TestFilesAreCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.html")
	content := "<html>" + strings.Repeat("a", 100_000)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPass(t, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
	server := httptest.NewServer(p.handler)
	res, body := get(t, server.URL)
	server.Close()
	if body != content || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d bytes of %s", len(body), res.Header.Get("Content-Type"))
	}
	if size := attribute(p.spans()[0], "http.response.body.size"); size != strconv.Itoa(len(content)) {
		t.Errorf("%s bytes are counted, want %d", size, len(content))
	}
}

// A WebSocket works over the hijacked connection, outlives the request timeout, and counts as a
// stream, not as a latency.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(echoWebSocket), httpserver.Routes("GET /echo"))
	mux := http.NewServeMux()
	mux.Handle("GET /echo", p.handler)
	server := httptest.NewServer(mux)
	defer server.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// Key and response are the example of RFC 6455, section 1.3.
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("the response to the upgrade is %s %v", res.Status, res.Header)
	}
	for _, text := range []string{"hello", "again"} {
		masked := []byte{0x81, 0x80 | byte(len(text)), 1, 2, 3, 4}
		for i := range len(text) {
			masked = append(masked, text[i]^byte(1+i%4))
		}
		if _, err := conn.Write(masked); err != nil {
			t.Fatal(err)
		}
		echo := make([]byte, 2+len(text))
		if _, err := io.ReadFull(r, echo); err != nil || !bytes.Equal(echo, append([]byte{0x81, byte(len(text))}, text...)) {
			t.Fatalf("the echo of %q is %q: %v", text, echo, err)
		}
	}
	conn.Close()
	for deadline := time.Now().Add(10 * time.Second); p.count(semconv.HTTPServerStreamDuration, nil) != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the stream was not measured")
		}
	}
	if n := p.count(semconv.HTTPServerRequestDuration, nil); n != 0 {
		t.Errorf("%v streams are in the latency histogram", n)
	}
	if status := attribute(p.spans()[0], "http.response.status_code"); status != "101" {
		t.Errorf("the span has status %s", status)
	}
}

// echoWebSocket implements what the test needs of RFC 6455: short text frames.
func echoWebSocket(w http.ResponseWriter, r *http.Request) {
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(buf, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(accept[:]))
	for buf.Flush() == nil {
		head := make([]byte, 6) // kind, length, mask
		if _, err := io.ReadFull(buf, head); err != nil {
			return
		}
		text := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(buf, text); err != nil {
			return
		}
		for i := range text {
			text[i] ^= head[2+i%4]
		}
		_, _ = buf.Write(append([]byte{head[0], byte(len(text))}, text...))
	}
}
