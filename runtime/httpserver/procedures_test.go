package httpserver_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

const addItem = "/shop.v1.CartService/AddItem"

// frame returns a message of connect streams and gRPC-Web.
func frame(flags byte, message string) string {
	head := [5]byte{flags}
	binary.BigEndian.PutUint32(head[1:], uint32(len(message)))
	return string(head[:]) + message
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The responses are those of the protocols, byte by byte.
func TestProcedureOutcomeFollowsTheErrorCode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		contentType string
		status      int
		header      string // grpc-status
		body        string
		outcome     string
		code        string
	}{
		"connect, a success":                {"application/json", 200, "", `{}`, semconv.OutcomeSuccess, ""},
		"connect, not found":                {"application/json", 404, "", `{"code":"not_found"}`, semconv.OutcomeClientError, ""},
		"connect, internal":                 {"application/json", 500, "", `{"code":"internal"}`, semconv.OutcomeServerError, "500"},
		"connect stream, a success":         {"application/connect+json", 200, "", frame(0, "{}") + frame(2, "{}"), semconv.OutcomeSuccess, ""},
		"connect stream, unavailable":       {"application/connect+json", 200, "", frame(0, "{}") + frame(2, `{"error":{"code":"unavailable"}}`), semconv.OutcomeServerError, "unavailable"},
		"connect stream, permission denied": {"application/connect+proto", 200, "", frame(2, `{"error":{"code":"permission_denied"}}`), semconv.OutcomeClientError, "permission_denied"},
		"connect stream, compressed":        {"application/connect+proto", 200, "", frame(3, zipped(t, `{"error":{"code":"data_loss"}}`)), semconv.OutcomeServerError, "data_loss"},
		"connect stream, an invalid end":    {"application/connect+proto", 200, "", frame(2, `boom`), semconv.OutcomeServerError, "unknown"},
		"connect stream, an unknown code":   {"application/connect+proto", 200, "", frame(2, `{"error":{"code":"`+strings.Repeat("x", 99)+`"}}`), semconv.OutcomeServerError, "unknown"},
		"gRPC-Web, a success":               {"application/grpc-web+proto", 200, "", frame(0, "x") + frame(0x80, "grpc-status: 0\r\n"), semconv.OutcomeSuccess, ""},
		"gRPC-Web, internal":                {"application/grpc-web", 200, "", frame(0, "x") + frame(0x80, "Grpc-Message: no\r\ngrpc-status: 13\r\n"), semconv.OutcomeServerError, "internal"},
		"gRPC-Web, in the header":           {"application/grpc-web", 200, "5", "", semconv.OutcomeClientError, "not_found"},
		"gRPC, in the trailer":              {"application/grpc", 200, "14", frame(0, "x"), semconv.OutcomeServerError, "unavailable"},
		"gRPC, an unknown number":           {"application/grpc", 200, "99", "", semconv.OutcomeServerError, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				if tc.header != "" && tc.body == "" {
					w.Header().Set("Grpc-Status", tc.header)
				}
				w.WriteHeader(tc.status)
				for _, b := range []byte(tc.body) { // in frames cut at every byte
					_, _ = w.Write([]byte{b})
				}
				if tc.header != "" {
					w.Header().Set(http.TrailerPrefix+"Grpc-Status", tc.header)
				}
			})
			mux := http.NewServeMux()
			mux.Handle("/shop.v1.CartService/", service)
			p := newPass(t, telemetry.Sampling{Ratio: 1}, mux, httpserver.Procedures(addItem))
			if n := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: addItem}); n != 0 {
				t.Errorf("%v calls are counted before the first", n)
			}
			p.serve(httptest.NewRequest(http.MethodPost, addItem, strings.NewReader("{}")))
			labels := prometheus.Labels{semconv.LabelRoute: addItem, semconv.LabelMethod: http.MethodPost, semconv.LabelOutcome: tc.outcome}
			if n := p.count(semconv.HTTPServerRequests, labels); n != 1 {
				t.Errorf("%v calls are counted as %s", n, tc.outcome)
			}
			span := p.spans()[0]
			if span.Name() != "POST "+addItem || attribute(span, "error.type") != tc.code {
				t.Errorf("the span is %q with %v, want error.type %q", span.Name(), span.Attributes(), tc.code)
			}
		})
	}
}

// A mounted service has a route for each declared procedure and one for all other paths.
func TestProceduresBelowChi(t *testing.T) {
	t.Parallel()
	router := chi.NewRouter()
	router.Mount("/shop.v1.CartService", http.HandlerFunc(silent))
	p := newPass(t, telemetry.Sampling{}, router, httpserver.Procedures(addItem, "GET "+addItem))
	p.serve(httptest.NewRequest(http.MethodPost, addItem, http.NoBody))
	p.get(addItem)
	p.serve(httptest.NewRequest(http.MethodPost, addItem+"Else", http.NoBody))
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		if n := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: addItem, semconv.LabelMethod: method}); n != 1 {
			t.Errorf("%v calls by %s", n, method)
		}
	}
	if n := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: "/shop.v1.CartService/*"}); n != 1 {
		t.Errorf("%v calls of unknown procedures count for the mount", n)
	}
}

// A stream of a declared procedure has no deadline. A request header for a stream elsewhere does
// not remove it.
func TestStreamsOfProceduresHaveNoDeadline(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, limited := r.Context().Deadline(); limited != (r.URL.Path != addItem) {
			t.Errorf("%s is limited: %v", r.URL.Path, limited)
		}
	}), httpserver.Procedures(addItem))
	for _, path := range []string{addItem, addItem + "Else"} {
		r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
		r.Header.Set("Content-Type", "application/connect+proto")
		p.serve(r)
	}
}

// A call of a declared stream has no deadline and no latency, and releases its slot before the
// handler runs.
func TestDeclaredStreams(t *testing.T) {
	t.Parallel()
	left := 0
	p := newPass(t, telemetry.Sampling{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(interface{ OnRelease(f func()) }).OnRelease(func() { left++ })
		if _, limited := r.Context().Deadline(); limited {
			t.Error("a stream has a deadline")
		}
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = io.WriteString(w, frame(0, "a"))
	}), httpserver.Procedures(addItem), httpserver.Streams(addItem), httpserver.Procedures(addItem))
	r := httptest.NewRequest(http.MethodPost, addItem, http.NoBody)
	r.Header.Set("Content-Type", "application/grpc")
	p.serve(r)
	labels := prometheus.Labels{semconv.LabelRoute: addItem}
	if n := p.count(semconv.HTTPServerStreamDuration, labels); n != 1 {
		t.Errorf("%v streams are measured", n)
	}
	if n := p.count(semconv.HTTPServerRequestDuration, labels); n != 0 {
		t.Errorf("%v streams are latencies", n)
	}
	if left != 1 {
		t.Errorf("the slot was released %d times", left)
	}
}

// Any bytes that a handler writes as frames are passed on unchanged and counted once.
func FuzzFrames(f *testing.F) {
	f.Add("application/connect+json", frame(0, "a")+frame(2, `{"error":{"code":"unavailable"}}`))
	f.Add("application/connect+json", frame(3, "\x1f\x8b"))
	f.Add("application/grpc-web", frame(0x80, "grpc-status: -1"))
	f.Add("application/grpc-web", "\x80\xff\xff\xff\xff"+strings.Repeat("a", 20_000))
	var contentType, body string
	p := newPass(f, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}), httpserver.Procedures(addItem))
	f.Fuzz(func(t *testing.T, kind, text string) {
		p.t = t
		contentType, body = kind, text
		before := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: addItem})
		rec := p.serve(httptest.NewRequest(http.MethodPost, addItem, http.NoBody))
		if rec.Body.String() != text {
			t.Errorf("%q became %q", text, rec.Body)
		}
		if after := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: addItem}); after != before+1 {
			t.Errorf("the call counts %v times", after-before)
		}
	})
}
