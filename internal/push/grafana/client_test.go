package grafana_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/push"
	"github.com/observability-first/scaffold/internal/push/grafana"
)

// server is a fake Grafana that records requests and returns configured errors.
type server struct {
	*httptest.Server

	mu         sync.Mutex
	requests   []sent
	failures   []fakeResponse    // returned first, one per request
	dashboards map[string]string // uid to its response
}

type sent struct {
	Method, Path, Query, Auth, Type string
	Body                            map[string]any
}

type fakeResponse struct {
	status int
	body   string
	header map[string]string
}

func newServer(t *testing.T, failures ...fakeResponse) *server {
	t.Helper()
	s := &server{failures: failures, dashboards: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.handle))
	t.Cleanup(s.Close)
	return s
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := sent{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Auth: r.Header.Get("Authorization"), Type: r.Header.Get("Content-Type")}
	if src, _ := io.ReadAll(r.Body); len(src) > 0 {
		if err := json.Unmarshal(src, &got.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	s.requests = append(s.requests, got)
	reply := fakeResponse{status: http.StatusOK}
	switch key := r.Method + " " + r.URL.Path; {
	case len(s.failures) > 0:
		reply, s.failures = s.failures[0], s.failures[1:]
	case key == "GET /api/health":
		reply.body = `{"database":"ok","version":"13.2.3"}`
	case key == "GET /api/folders":
		reply.body = `[{"uid":"shop-uid","title":"Shop"}]`
	case key == "POST /api/folders":
		reply.body = `{"uid":"made","title":"x"}`
	case key == "POST /api/dashboards/db":
		reply.body = `{"status":"success","url":"/d/orders-overview/orders"}`
	case s.dashboards[r.URL.Path] != "":
		reply.body = s.dashboards[r.URL.Path]
	default:
		reply = fakeResponse{status: http.StatusNotFound, body: `{"message":"Not found"}`}
	}
	for name, value := range reply.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(reply.status)
	fmt.Fprint(w, reply.body)
}

// client returns a client of the server and records its waits.
func (s *server) client(t *testing.T, token string) (*grafana.Client, *[]time.Duration) {
	t.Helper()
	var waits []time.Duration
	c, err := grafana.New(push.Options{URL: s.URL, Token: token, Wait: func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c, &waits
}

const dashboard = `{"id":7,"uid":"orders-overview","title":"orders / Overview","version":3,"panels":[]}`

func TestSave(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, _ := s.client(t, "secret\n")
	url, err := c.Save(t.Context(), grafana.Dashboard{JSON: []byte(dashboard), FolderUID: "shop-uid", Message: "why"})
	if err != nil {
		t.Fatal(err)
	}
	if want := s.URL + "/d/orders-overview/orders"; url != want {
		t.Errorf("address %s, want %s", url, want)
	}
	want := []sent{{
		Method: "POST", Path: "/api/dashboards/db", Auth: "Bearer secret", Type: "application/json",
		Body: map[string]any{
			"dashboard": map[string]any{"id": nil, "uid": "orders-overview", "title": "orders / Overview", "panels": []any{}},
			"folderUid": "shop-uid", "overwrite": true, "message": "why",
		},
	}}
	if diff := cmp.Diff(want, s.requests); diff != "" {
		t.Error(diff)
	}
}

func TestFolderIsCreatedOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, _ := s.client(t, "")
	if uid, err := c.Folder(t.Context(), "Shop"); uid != "shop-uid" || err != nil {
		t.Errorf("got %q, %v", uid, err)
	}
	if uid, err := c.Folder(t.Context(), "New"); uid != "made" || err != nil {
		t.Errorf("got %q, %v", uid, err)
	}
	last := s.requests[len(s.requests)-1]
	if last.Method != "POST" || last.Body["title"] != "New" || last.Auth != "" {
		t.Errorf("sent %+v", last)
	}
	if len(s.requests) != 3 {
		t.Errorf("%d requests, want two lists and one new folder", len(s.requests))
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.dashboards["/api/dashboards/uid/orders-slo"] = `{"meta":{"provisioned":true,"folderUid":"f"},"dashboard":{}}`
	c, _ := s.client(t, "")
	for uid, want := range map[string]grafana.Existing{
		"orders-slo": {Found: true, Provisioned: true, FolderUID: "f"},
		"other":      {},
	} {
		if got, err := c.Find(t.Context(), uid); got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", uid, got, err, want)
		}
	}
}

func TestTemporaryErrorsAreRetried(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]fakeResponse{
		"too many requests": {status: 429, header: map[string]string{"Retry-After": "7"}},
		"a broken balancer": {status: 502, body: "<html>"},
		"a restart":         {status: 503},
		"a fault":           {status: 500, body: `{"message":"database is locked"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, failure, failure)
			c, waits := s.client(t, "")
			if version, err := c.Version(t.Context()); version != "13.2.3" || err != nil {
				t.Fatalf("got %q, %v", version, err)
			}
			if len(*waits) != 2 || len(s.requests) != 3 {
				t.Errorf("%d requests and waits of %v", len(s.requests), *waits)
			}
			if failure.status == 429 && (*waits)[0] != 7*time.Second {
				t.Errorf("waited %v although the server asked for 7s", (*waits)[0])
			}
		})
	}
}

func TestRetriesAreLimited(t *testing.T) {
	t.Parallel()
	down := fakeResponse{status: 503}
	s := newServer(t, down, down, down, down, down, down)
	c, waits := s.client(t, "")
	_, err := c.Version(t.Context())
	const want = "read the version: grafana responded 503: try again later, or check the log of Grafana (tried 5 times)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if len(*waits) != 4 {
		t.Errorf("waited %v", *waits)
	}
	for i, wait := range *waits {
		if most := 500 * time.Millisecond << i; wait > most || wait < most/2 {
			t.Errorf("pause %d is %v, want between %v and %v", i, wait, most/2, most)
		}
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Close()
	c, waits := s.client(t, "")
	_, err := c.Version(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "check that Grafana is running (tried 5 times)") || len(*waits) != 4 {
		t.Errorf("got %v after waits of %v", err, *waits)
	}
}

func TestCanceledContextStopsRetries(t *testing.T) {
	t.Parallel()
	s := newServer(t, fakeResponse{status: 503}, fakeResponse{status: 503})
	ctx, stop := context.WithCancelCause(t.Context())
	enough := errors.New("the user had enough")
	c, err := grafana.New(push.Options{URL: s.URL, Wait: func(ctx context.Context, _ time.Duration) error {
		stop(enough)
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Version(ctx); !errors.Is(err, enough) || len(s.requests) != 1 {
		t.Errorf("got %v after %d requests", err, len(s.requests))
	}
}

func TestErrorsHaveAdvice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		token string
		give  fakeResponse
		want  string
	}{
		"no token": {"", fakeResponse{status: 401, body: `{"message":"Unauthorized"}`},
			"grafana responded 401 (Unauthorized): a token is required; create one for a service account with the role Editor, and set GRAFANA_TOKEN or --token-file"},
		"wrong token": {"x", fakeResponse{status: 401, body: `{"message":"Invalid API key"}`},
			"grafana responded 401 (Invalid API key): the token is invalid or has expired; create a new one for a service account, and set GRAFANA_TOKEN or --token-file"},
		"weak token": {"x", fakeResponse{status: 403, body: `{"message":"Access denied"}`},
			"grafana responded 403 (Access denied): the token has no permission; grant its service account the role Editor, or Edit on the folder"},
		"wrong address": {"x", fakeResponse{status: 404, body: "<html>"},
			"grafana responded 404: not found at ADDRESS; check the URL and its path"},
		"same title": {"x", fakeResponse{status: 412, body: `{"status":"name-exists","message":"exists"}`},
			"grafana responded 412 (exists): another dashboard in the folder has this title; rename or delete it, or choose another --folder"},
		"same moment": {"x", fakeResponse{status: 412, body: `{"status":"version-mismatch","message":"changed"}`},
			"grafana responded 412 (changed): the dashboard was changed concurrently; push again"},
		"of a plugin": {"x", fakeResponse{status: 412, body: `{"status":"plugin-dashboard"}`},
			"grafana responded 412: a dashboard of a plugin has this uid; use another uid"},
		"provisioned": {"x", fakeResponse{status: 400, body: `{"message":"Cannot save provisioned dashboard"}`},
			"grafana responded 400 (Cannot save provisioned dashboard): the dashboard is provisioned from a file; change that file, or remove the provider"},
		"old": {"x", fakeResponse{status: 400, body: `{"message":"bad request data"}`},
			"grafana responded 400 (bad request data): this Grafana rejects the dashboard; generated dashboards need version 11 or newer"},
		"moved": {"x", fakeResponse{status: 302, header: map[string]string{"Location": "/login"}},
			"grafana responded 302: redirected to /login; use that URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tc.give)
			c, waits := s.client(t, tc.token)
			_, err := c.Save(t.Context(), grafana.Dashboard{JSON: []byte(dashboard)})
			if err == nil {
				t.Fatal("it was taken")
			}
			want := "save dashboard orders-overview: " + strings.ReplaceAll(tc.want, "ADDRESS", s.URL)
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if len(*waits) != 0 || len(s.requests) != 1 {
				t.Errorf("it was tried again: %v", *waits)
			}
		})
	}
}

func TestInvalidURLs(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"grafana.acme.test":      `invalid grafana URL "grafana.acme.test"; write one such as https://grafana.acme.test`,
		"ftp://x":                `invalid grafana URL "ftp://x"; write one such as https://grafana.acme.test`,
		"https://me:secret@acme": "the grafana URL has a user; remove it and use a token of a service account",
	} {
		if _, err := grafana.New(push.Options{URL: address}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
}

func TestOtherServersAreRejected(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"<html>":          "read the version: the response of ADDRESS is not Grafana's: invalid character '<' looking for beginning of value; check the URL",
		`{"status":"up"}`: "read the version: the server at ADDRESS is not Grafana; check the URL",
	} {
		s := newServer(t, fakeResponse{status: 200, body: body})
		c, _ := s.client(t, "")
		if _, err := c.Version(t.Context()); err == nil || err.Error() != strings.ReplaceAll(want, "ADDRESS", s.URL) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOtherFilesAreRejected(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`{`:                       "not dashboard JSON: unexpected end of JSON input",
		`[]`:                      "not dashboard JSON: unexpected array; export the dashboard again",
		`{"title":"x"}`:           "the dashboard has no uid, so each push would create another one; set a uid",
		`{"uid":"x"}`:             "the dashboard has no title; set one",
		`{"kind":"Dashboard"}`:    "not classic dashboard JSON but a resource; export the dashboard as classic JSON",
		`{"uid":"x","title":"y"}`: "",
	} {
		_, err := grafana.ReadHead([]byte(src))
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
}
