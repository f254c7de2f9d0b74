package grow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"net/http"
	"strings"
	"text/template"

	"github.com/observability-first/scaffold/templates/spec"
)

// param is a parameter of the path in generated code.
type param struct {
	Name  string // in the path
	Local string // variable
	Err   string // variable of its error
	Read  string // the function that reads it; empty: any text is valid
	Valid string // a value for tests
	Bad   string // a value that Read rejects; empty: unknown
}

var handlerTemplate = template.Must(template.New("").Parse(`package api

import (
	"net/http"

	"{{.Runtime}}/apierror"
)

// {{.Handler}} handles {{.Method}} {{.Path}}.
func ({{.Receiver}}) {{.Handler}}(w http.ResponseWriter, r *http.Request) error {
{{- range .Params}}{{if .Read}}
	{{.Local}}, {{.Err}} := {{.Read}}(r)
{{- end}}{{end}}
{{- if .Joined}}
	if err := {{.Joined}}; err != nil {
		return err
	}
{{- else if .Single}}
	if err != nil {
		return err
	}
{{- end}}
{{- range .Params}}{{if not .Read}}
	{{.Local}} := r.PathValue("{{.Name}}")
{{- end}}{{end}}
	// TODO: {{.Summary}}. {{if .HasBody}}Read a body with httpserver.ReadJSON, and write{{else}}Write{{end}} the response with httpserver.WriteJSON.
	return apierror.New(apierror.CodeUnimplemented, "{{.Method}} {{.Verbs}} is not implemented"{{range .Params}}, {{.Local}}{{end}})
}
`))

var testTemplate = template.Must(template.New("").Parse(`package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"{{.Module}}/internal/api"
)

func Test{{.Exported}}(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path   string
		status int
	}{
		// TODO: once the route is written, change the status, and check the body of the response.
		"the route is not implemented": {path: "{{.Good}}", status: http.StatusNotImplemented},
{{- range .Bad}}
		"{{.Rule}} is rejected": {path: "{{.Path}}", status: http.StatusUnprocessableEntity},
{{- end}}
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), {{.MethodName}}, tc.path, http.NoBody)
			api.Routes({{.Nils}}).ServeHTTP(w, r)
			if w.Code != tc.status {
				t.Errorf("got status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
		})
	}
}
`))

// handlerSource returns the file of the handler.
func (r route) handlerSource(c *routeCode) ([]byte, error) {
	params := r.pathParams(c)
	var errs []string
	for _, p := range params {
		if p.Read != "" {
			errs = append(errs, p.Err)
		}
	}
	data := map[string]any{
		"Runtime": c.runtime, "Handler": r.handler(), "Method": r.method, "Path": r.path, "Receiver": c.receiver, "Summary": strings.ToLower(r.summary[:1]) + r.summary[1:],
		"HasBody": r.method == http.MethodPost || r.method == http.MethodPut || r.method == http.MethodPatch,
		"Single":  len(errs) == 1, "Verbs": r.filled(func(param) string { return "%v" }, params),
	}
	if len(errs) == 1 {
		for i := range params {
			params[i].Err = "err"
		}
	}
	if len(errs) > 1 {
		data["Joined"] = "apierror.Join(" + strings.Join(errs, ", ") + ")"
	}
	data["Params"] = params
	return formatted(handlerTemplate, data)
}

// testSource returns the file of the test.
func (r route) testSource(c *routeCode, module string) ([]byte, error) {
	params := r.pathParams(c)
	type bad struct{ Rule, Path string }
	var invalid []bad
	for i, p := range params {
		if p.Bad != "" {
			invalid = append(invalid, bad{"an invalid " + p.Name, r.filled(func(q param) string {
				if q == params[i] {
					return q.Bad
				}
				return q.Valid
			}, params)})
		}
	}
	return formatted(testTemplate, map[string]any{
		"Module": module, "Exported": r.id.Exported(), "Good": r.filled(func(p param) string { return p.Valid }, params), "Bad": invalid,
		"MethodName": "http.Method" + spec.Noun(strings.ToLower(r.method)).Exported(), "Nils": strings.TrimSuffix(strings.Repeat("nil, ", c.args), ", "),
	})
}

// filled returns the path with a text for each parameter.
func (r route) filled(with func(param) string, params []param) string {
	out := r.path
	for _, p := range params {
		out = strings.Replace(out, "{"+p.Name+"}", with(p), 1)
	}
	return out
}

// pathParams returns the parameters and how the package reads them.
func (r route) pathParams(c *routeCode) []param {
	var out []param
	for _, name := range r.params() {
		noun := spec.Noun(strings.ReplaceAll(strings.Trim(strings.ToLower(name), "_"), "_", "-"))
		p := param{Name: name, Local: noun.Local(), Valid: "a"}
		switch p.Local {
		case "", "w", "r", "h", "err", "api", "http", "apierror", "type", "func", "range", "map", "var", "package", "import", "select", "switch", "case", "default", "go", "return", "string":
			p.Local += "Param"
		}
		p.Err = "err" + noun.Exported()
		if result, ok := c.readers[strings.ReplaceAll(strings.ToLower(name), "_", "")]; ok {
			p.Read = c.readerName(name)
			switch source(result) {
			case "uuid.UUID":
				p.Valid, p.Bad = "0198c5f0-0000-7000-8000-000000000000", "none"
			case "int", "int64", "int32", "uint", "uint64", "uint32":
				p.Valid, p.Bad = "1", "none"
			}
		}
		out = append(out, p)
	}
	return out
}

// readerName returns the name of the function that reads a parameter.
func (c *routeCode) readerName(param string) string {
	for name := range c.names {
		if strings.EqualFold(name, "read"+strings.ReplaceAll(param, "_", "")) {
			return name
		}
	}
	return ""
}

func formatted(t *template.Template, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	return format.Source(b.Bytes())
}

// operation returns the operation of the OpenAPI document.
func (r route) operation(document []byte) []byte {
	var known struct {
		Components struct {
			Parameters map[string]struct {
				Name string `json:"name"`
				In   string `json:"in"`
			} `json:"parameters"`
			Responses map[string]json.RawMessage `json:"responses"`
		} `json:"components"`
	}
	_ = json.Unmarshal(document, &known) // openapi.Parse has read it; what is missing is written here
	var b strings.Builder
	fmt.Fprintf(&b, "{\n  \"operationId\": %q,\n  \"summary\": %q,\n", r.id, r.summary)
	var params []string
	for _, name := range r.params() {
		shared := known.Components.Parameters[name]
		if shared.Name == name && shared.In == "path" {
			params = append(params, fmt.Sprintf(`{"$ref": "#/components/parameters/%s"}`, name))
		} else {
			params = append(params, fmt.Sprintf(`{"name": %q, "in": "path", "required": true, "schema": {"type": "string"}}`, name))
		}
	}
	switch {
	case len(params) == 1 && len(params[0]) < 80:
		fmt.Fprintf(&b, "  \"parameters\": [%s],\n", params[0])
	case len(params) > 0:
		fmt.Fprintf(&b, "  \"parameters\": [\n    %s\n  ],\n", strings.Join(params, ",\n    "))
	}
	problem := func(description string) string {
		if _, ok := known.Components.Responses["Problem"]; ok {
			return `{"$ref": "#/components/responses/Problem"}`
		}
		return fmt.Sprintf(`{"description": %q, "content": {"application/problem+json": {"schema": {"type": "object"}}}}`, description)
	}
	fmt.Fprintf(&b, "  \"responses\": {\n    \"501\": %s,\n    \"default\": %s\n  }\n}", problem("Not implemented"), problem("An error"))
	return []byte(b.String())
}
