package httpserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// Handle returns a handler that calls h and responds to its error with problem details (see
// [WriteProblem]). h either writes a response or returns an error.
//
// Handle itself rejects requests whose query does not parse, since [url.URL.Query] would drop
// parts of it, and requests whose body has a content coding.
func Handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := rejectUnreadable(w, r)
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			WriteProblem(w, r, err)
		}
	}
}

func rejectUnreadable(w http.ResponseWriter, r *http.Request) error {
	if r.URL.RawQuery != "" {
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			return apierror.New(apierror.CodeMalformed, "the query string is invalid: %v", err)
		}
	}
	if coding := strings.Join(r.Header["Content-Encoding"], ", "); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
		return apierror.New(apierror.CodeUnsupported, "the content coding %q is not supported; send the body without one", coding)
	}
	return nil
}
