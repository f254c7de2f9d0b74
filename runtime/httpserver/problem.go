package httpserver

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// Problem is an error as the caller reads it: problem details of RFC 9457, with
// the code that programs should branch on and the id to name to support.
type Problem struct {
	Title     string           `json:"title"`
	Status    int              `json:"status"`
	Detail    string           `json:"detail,omitempty"`
	Code      apierror.Code    `json:"code"`
	RequestID string           `json:"request_id,omitempty"`
	Errors    []apierror.Field `json:"errors,omitempty"`
	// MoreErrors is the number of errors beyond the first 20.
	MoreErrors int `json:"more_errors,omitempty"`
}

// A body of 1 MiB can hold 70,000 wrong fields, or one name or number of 1 MiB. Their
// list in the response is bounded; 20 are more than a person reads.
const (
	maxErrors   = 20
	maxLocation = 200 // bytes
	maxMessage  = 500 // bytes
)

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// NewProblem returns the problem details of an error, in words for the caller, and records the
// error for the log line and the span of the request.
func NewProblem(ctx context.Context, err error) *Problem {
	e := apierror.From(err)
	p := &Problem{
		Title:  http.StatusText(e.Code.Status()),
		Status: e.Code.Status(),
		Detail: clip(e.Message, maxMessage),
		Code:   e.Code,
	}
	p.list(e.Fields)
	if x := stateOf(ctx); x != nil {
		p.RequestID = x.id[0]
		x.failure.Store(&err)
	}
	return p
}

// list sets the errors, as many and as long as a response may hold.
func (p *Problem) list(fields []apierror.Field) {
	shown := min(len(fields), maxErrors)
	p.MoreErrors = len(fields) - shown
	for _, field := range fields[:shown] {
		p.Errors = append(p.Errors, apierror.Field{Location: clip(field.Location, maxLocation), Message: clip(field.Message, maxMessage)})
	}
}

// clip shortens a text to a number of bytes.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

// NewRouter returns a chi router whose own responses, for paths and methods that
// it does not know, are problems too. Routes for GET also serve HEAD (RFC 9110,
// section 9.1), unless they have a handler for it.
func NewRouter() *chi.Mux {
	router := chi.NewRouter()
	router.Use(serveHead(router))
	router.NotFound(notFound)
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		methods := allowed(router, r)
		if len(methods) == 0 { // chi comes here with every method that it does not know
			notFound(w, r)
			return
		}
		// RFC 9110, section 15.5.6. chi shows what it found to its own handler alone.
		w.Header().Set("Allow", strings.Join(methods, ", "))
		WriteProblem(w, r, apierror.New(apierror.CodeNotAllowed, "%s is not served at this path", r.Method))
	})
	return router
}

func notFound(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, apierror.NotFound("nothing is served at this path"))
}

// WriteProblem responds with the problem details of an error, and records it as [NewProblem] does.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	NewProblem(r.Context(), err).write(w)
}

func (p *Problem) write(w http.ResponseWriter) {
	body, encodeErr := json.Marshal(p)
	if encodeErr != nil { // a Problem holds only strings and numbers
		panic(encodeErr)
	}
	w.Header().Set("Content-Type", ProblemType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Del("Content-Length")
	if p.Status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		// Drawn, so that clients do not all come back in the same second.
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	}
	w.WriteHeader(p.Status)
	// The server records a write that failed.
	_, _ = w.Write(append(body, '\n'))
}
