package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

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

// require marks a header as required in the document. To huma it is optional: without it, the
// response is the handler's 428 and not huma's 422.
func require(op *huma.Operation, header string) {
	for _, p := range op.Parameters {
		if p.Name == header {
			p.Required = true
		}
	}
}

// document serves the OpenAPI document.
func document(api huma.API) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := json.Marshal(api.OpenAPI())
		if err != nil {
			httpserver.WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		_, _ = w.Write(body) // httpserver counts a client that closed the connection
	}
}

// readable rejects a query that does not parse, and a body with a content coding. huma
// ignores both.
func readable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			httpserver.WriteProblem(w, r, apierror.New(apierror.CodeMalformed, "the query string does not parse: %v", err))
			return
		}
		if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
			w.Header().Set("Accept-Encoding", "identity")
			httpserver.WriteProblem(w, r, apierror.New(apierror.CodeUnsupported, "the content coding %q is not supported; send the body without one", coding))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onlyJSON removes the Accept header, because every response is JSON. huma (v2.37)
// panics on some values of it.
func onlyJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delete(r.Header, "Accept")
		next.ServeHTTP(w, r)
	})
}
