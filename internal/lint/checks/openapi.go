package checks

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

// documentPath is the OpenAPI document, which the owner of the service edits.
const documentPath = "api/openapi.json"

// compareDocument finds routes that the OpenAPI document lacks, and operations that
// the service does not serve.
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
			add(method, path, "%s is not described; add the operation")
		}
	}
	for _, o := range document.Operations {
		if !served[o.Key()] {
			add(o.Method, o.Path, "%s is not a route of the service; remove the operation, or add the route")
		}
	}
	return findings
}

// parameterPattern is a parameter of chi with a regular expression, which OpenAPI has not.
var parameterPattern = regexp.MustCompile(`\{(\w+):(?:[^{}/]|\{[^{}]*\})*\}`)

// procedure matches the path of an RPC method: /package.Service/Method.
var procedure = regexp.MustCompile(`^/[\w.]*\.[A-Z]\w*/[A-Z]\w*$`)

// describable leaves out the document itself, handlers that are mounted below a path, and
// procedures.
func describable(path string) bool {
	return path != "/openapi.json" && !strings.Contains(path, "*") && !procedure.MatchString(path)
}
