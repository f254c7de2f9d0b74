package checks

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

// documentPath is the OpenAPI document, which the user edits.
const documentPath = "api/openapi.json"

// compareDocument finds routes without an operation, and operations without a route.
func compareDocument(src []byte, routes []string) []lint.Finding {
	document, err := openapi.Parse(src)
	if err != nil {
		return []lint.Finding{{File: documentPath, Line: 1, Column: 1, Message: err.Error()}}
	}
	var findings []lint.Finding
	add := func(method, path, format string) {
		line, column := document.Position(path, method)
		findings = append(findings, lint.Finding{File: documentPath, Line: line, Column: column, Message: fmt.Sprintf(format, method+" "+path)})
	}
	served := map[string]bool{}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		path = parameterPattern.ReplaceAllString(path, "{$1}")
		served[method+" "+path] = true
		if _, described := document.Find(method, path); !described && describable(path) {
			add(method, path, "%s is a route without an operation; add the operation")
		}
	}
	for _, o := range document.Operations {
		if !served[o.Key()] {
			add(o.Method, o.Path, "%s is not a route of the service; add the route or remove the operation")
		}
	}
	return findings
}

// parameterPattern matches a chi parameter with a regular expression, which OpenAPI lacks.
var parameterPattern = regexp.MustCompile(`\{(\w+):(?:[^{}/]|\{[^{}]*\})*\}`)

// procedure matches the path of an RPC method: /package.Service/Method.
var procedure = regexp.MustCompile(`^/[\w.]*\.[A-Z]\w*/[A-Z]\w*$`)

// describable reports whether a path can be in the document. The document itself, mounted
// handlers and procedures cannot.
func describable(path string) bool {
	return path != "/openapi.json" && !strings.Contains(path, "*") && !procedure.MatchString(path)
}
