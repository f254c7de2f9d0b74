package push_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/push"
)

// send sends a request to a server with the handler, and returns the waits.
func send(t *testing.T, o push.Options, handle http.HandlerFunc, path ...string) (text string, waits []time.Duration, err error) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	o.URL = server.URL
	o.Wait = func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}
	client, err := push.New(push.Peer{Name: "Store", Accept: "text/plain", Sends: "text/plain"}, o)
	if err != nil {
		t.Fatal(err)
	}
	body, err := client.Do(t.Context(), push.Request{
		Method: http.MethodPost, Path: path, Body: []byte("x"), What: "send",
		Explain: func(r push.ErrorResponse) (string, string) { return string(r.Text), "" },
	})
	return string(body), waits, err
}

func TestRetryAfterIsLimited(t *testing.T) {
	t.Parallel()
	_, waits, err := send(t, push.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if err == nil || err.Error() != "send: store responded 429: too many requests; try again later (tried 5 times)" {
		t.Errorf("got %v", err)
	}
	if len(waits) != 4 || waits[0] != 30*time.Second {
		t.Errorf("waited %v", waits)
	}
}

func TestPathSegmentsAreEscaped(t *testing.T) {
	t.Parallel()
	text, _, err := send(t, push.Options{User: "me", Token: "secret", Header: http.Header{"X-Tenant": {"a"}}}, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(r.URL.EscapedPath() + " " + user + ":" + password + " " + r.Header.Get("X-Tenant")))
	}, "a/b", "c d", "é?")
	if want := "/a%2Fb/c%20d/%C3%A9%3F me:secret a"; text != want || err != nil {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
	for _, part := range []string{"", ".", ".."} {
		_, _, err := send(t, push.Options{}, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }, "a", part)
		if err == nil || !strings.Contains(err.Error(), "is not allowed in a URL") {
			t.Errorf("%q: %v", part, err)
		}
	}
}

func TestLargeResponseIsRejected(t *testing.T) {
	t.Parallel()
	_, waits, err := send(t, push.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 9<<20))
	})
	if err == nil || !strings.Contains(err.Error(), "more than 8388608 bytes; check the URL") || len(waits) != 0 {
		t.Errorf("%v after %v", err, waits)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	for content, want := range map[string]string{"a\r\n": "a", "\n": "is empty", "a\nb": "more than one line"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := push.Token(func(string) string { return "other" }, "V", file)
		if err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	if got, err := push.Token(func(name string) string { return name + "\n" }, "V", ""); got != "V" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := push.Token(func(string) string { return "a" }, "V", file+"x"); err == nil {
		t.Error("a file that is not there is fine")
	}
}
