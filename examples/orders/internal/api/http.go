package api

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/fault"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
)

// huma asks these functions for every error that an answer is made of. It has
// none for one API alone (v2.37), so they are set before any is made.
func init() {
	huma.ValidateStrictCasing = true // Name is not name
	huma.NewErrorWithContext = problem
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problem(nil, status, message, errs...)
	}
}

// config describes the API in its OpenAPI document.
func config() huma.Config {
	c := huma.DefaultConfig("orders", "1.0.0")
	c.Info.Description = "The orders service."
	c.OpenAPIPath = "" // served by document, in one version and format
	c.DocsPath = ""    // no page that loads scripts from elsewhere
	c.SchemasPath = "" // the document holds the schemas
	c.CreateHooks = nil
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: httpserver.UnmarshalJSON}
	c.Formats = map[string]huma.Format{"application/json": format, "json": format}
	return c
}

// readable rejects a query that does not parse, and a body with a content coding. huma
// ignores both.
func readable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			httpserver.WriteProblem(w, r, fault.New(fault.CodeMalformed, "the query string does not parse: %v", err))
			return
		}
		if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
			w.Header().Set("Accept-Encoding", "identity")
			httpserver.WriteProblem(w, r, fault.New(fault.CodeUnsupported, "the content coding %q is not supported; send the body without one", coding))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onlyJSON removes the Accept header, because huma (v2.37) panics on some values. JSON is
// the only format.
func onlyJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept")
		next.ServeHTTP(w, r)
	})
}

// document serves the API's own description.
func document(api huma.API) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := json.Marshal(api.OpenAPI())
		if err != nil {
			httpserver.WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		_, _ = w.Write(body) // a caller that left is seen by the observing pass
	}
}

// operation describes one route. Generated clients name their methods after id.
func operation(id, route string, status int, summary string) huma.Operation {
	method, path, _ := strings.Cut(route, " ")
	return huma.Operation{
		OperationID:   id,
		Method:        method,
		Path:          path,
		Summary:       summary,
		DefaultStatus: status,
		MaxBodyBytes:  -1, // HTTP_BODY_LIMIT bounds every body
	}
}

// require describes a header as required. To huma it is optional: without it, the response is
// the handler's 428 and not huma's 422.
func require(op *huma.Operation, header string) {
	for _, p := range op.Parameters {
		if p.Name == header {
			p.Required = true
		}
	}
}

// problem is an error as callers read it. An error that a handler returned
// arrives with status 500; package fault decides what it really is.
func problem(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	if ctx == nil { // huma asks for the shape of an error
		return &httpserver.Problem{Status: status}
	}
	if status == http.StatusInternalServerError && len(errs) == 1 {
		p := httpserver.NewProblem(ctx.Context(), errs[0])
		if p.Status == http.StatusServiceUnavailable {
			ctx.SetHeader("Retry-After", overload.RetryAfter())
		}
		return p
	}
	if status == http.StatusUnsupportedMediaType {
		message = "the content type is not supported; send application/json"
	}
	wrong := fault.New(fault.CodeOf(status), "%s", message)
	wrong.Fields = wrongFields(errs)
	return httpserver.NewProblem(ctx.Context(), wrong)
}

func wrongFields(errs []error) []fault.Field {
	var fields []fault.Field
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			field := fault.Field{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
			if field.Location == "path.id" {
				field.Message = "write a UUID"
			}
			fields = append(fields, field)
		}
	}
	return fields
}

// digest identifies a request by its decoded body, so that white space and the
// order of members make no difference.
func digest(body any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(body)
	return sha256.Sum256(text), err
}

// etag spells a version for the ETag header.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// readETag reads a version that etag spelled; 0 when the header is * or absent.
func readETag(header string) (int64, error) {
	if header == "" || header == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(header, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, fault.Invalid("the request is not valid", fault.Field{Location: "header.If-Match", Message: "send an ETag as you read it"})
	}
	return version, nil
}

// readCursor reads where a page begins.
func readCursor(cursor string) (uuid.UUID, error) {
	if cursor == "" {
		return uuid.Nil, nil
	}
	after, err := uuid.Parse(cursor)
	if err != nil {
		return uuid.Nil, fault.Invalid("the request is not valid", fault.Field{Location: "query.cursor", Message: "send next_cursor as you read it"})
	}
	return after, nil
}
