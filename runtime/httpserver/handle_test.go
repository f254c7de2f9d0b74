package httpserver_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

func TestHandleRespondsWithTheError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		target, coding string
		err            error
		want           int
		says           string
	}{
		"no error":                     {"/?a=1", "", nil, http.StatusNoContent, ""},
		"a client error":               {"/", "", apierror.NotFound("no such order"), http.StatusNotFound, "no such order"},
		"a server error":               {"/", "", errors.New("disk full"), http.StatusInternalServerError, "internal error"},
		"a query that does not parse":  {"/?a=%zz", "", nil, http.StatusBadRequest, `the query string is invalid: invalid URL escape`},
		"a query with a semicolon":     {"/?a=1;b=2", "", nil, http.StatusBadRequest, "the query string is invalid"},
		"a body with a content coding": {"/", "gzip", nil, http.StatusUnsupportedMediaType, "send the body without one"},
		"the coding identity":          {"/", "Identity", nil, http.StatusNoContent, ""},
		"a long message":               {"/", "", apierror.NotFound("%s", strings.Repeat("x", 80_000)), http.StatusNotFound, `xxx..."`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, tc.target, http.NoBody)
			r.Header.Set("Content-Encoding", tc.coding)
			rec := httptest.NewRecorder()
			httpserver.Handle(func(w http.ResponseWriter, _ *http.Request) error {
				if tc.err == nil {
					w.WriteHeader(http.StatusNoContent)
				}
				return tc.err
			})(rec, r)
			if rec.Code != tc.want || !strings.Contains(rec.Body.String(), tc.says) || strings.Contains(rec.Body.String(), "disk") {
				t.Errorf("got %d %s, want %d with %q", rec.Code, rec.Body, tc.want, tc.says)
			}
			if tc.coding == "gzip" && rec.Header().Get("Accept-Encoding") != "identity" {
				t.Errorf("got Accept-Encoding %q, want identity", rec.Header().Get("Accept-Encoding"))
			}
		})
	}
}

// A repeated header is ambiguous: proxies and servers choose different values.
func TestRepeatedHeadersAreRejected(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"Content-Encoding": {"identity", "gzip"},
		"Content-Type":     {"application/json", "text/plain"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{}`))
		r.Header[name] = values
		rec := httptest.NewRecorder()
		httpserver.Handle(func(_ http.ResponseWriter, r *http.Request) error {
			_, err := httpserver.ReadJSON[any](r)
			return err
		})(rec, r)
		if rec.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s %q: got %d, want 415", name, values, rec.Code)
		}
	}
}

func TestHandleSetsRetryAfter(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	httpserver.Handle(func(http.ResponseWriter, *http.Request) error {
		return apierror.Unavailable("the database does not respond")
	})(
		rec, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if after := rec.Header().Get("Retry-After"); !slices.Contains([]string{"1", "2", "3"}, after) {
		t.Errorf("Retry-After: %q, want 1 to 3", after)
	}
}
