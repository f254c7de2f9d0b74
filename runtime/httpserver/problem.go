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

// Problem is the response body of an error: RFC 9457 problem details, with the code that programs
// branch on and the id that a client gives to support.
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

// Limits of the list of errors in a response. A body of 1 MiB can have 70,000 invalid fields, or
// a name or number of 1 MiB.
const (
	maxErrors   = 20
	maxLocation = 200 // bytes
	maxMessage  = 500 // bytes
)

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// NewProblem returns the problem details of an error, and records the error for the access line
// and the span of the request. Internal causes are not part of it.
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

// list sets the errors, limited in number and length.
func (p *Problem) list(fields []apierror.Field) {
	shown := min(len(fields), maxErrors)
	p.MoreErrors = len(fields) - shown
	for _, field := range fields[:shown] {
		p.Errors = append(p.Errors, apierror.Field{Location: clip(field.Location, maxLocation), Message: clip(field.Message, maxMessage)})
	}
}

func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

// NewRouter returns a chi router that responds with problem details to unknown paths and methods.
// Routes for GET also serve HEAD (RFC 9110, section 9.1), unless HEAD has its own handler.
func NewRouter() *chi.Mux {
	router := chi.NewRouter()
	router.Use(serveHead(router))
	router.NotFound(notFound)
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		methods := allowed(router, r)
		if len(methods) == 0 { // chi calls this handler for every method that it does not know
			notFound(w, r)
			return
		}
		// RFC 9110, section 15.5.6, requires Allow. chi gives the methods it found to its own
		// handler only.
		w.Header().Set("Allow", strings.Join(methods, ", "))
		WriteProblem(w, r, apierror.New(apierror.CodeNotAllowed, "method %s is not allowed for this path", r.Method))
	})
	return router
}

func notFound(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, apierror.NotFound("no such path"))
}

// WriteProblem responds with the problem details of an error, and records it as [NewProblem] does.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	NewProblem(r.Context(), err).write(w)
}

func (p *Problem) write(w http.ResponseWriter) {
	body, encodeErr := json.Marshal(p)
	if encodeErr != nil { // does not happen: a Problem has only strings and numbers
		panic(encodeErr)
	}
	w.Header().Set("Content-Type", ProblemType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Del("Content-Length")
	if p.Status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		// A random delay, so that clients do not all retry in the same second.
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	}
	w.WriteHeader(p.Status)
	// The server records failed writes.
	_, _ = w.Write(append(body, '\n'))
}
