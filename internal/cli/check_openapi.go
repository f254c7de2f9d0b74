package cli

import (
	"fmt"
	"slices"
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
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if _, described := document.Find(method, path); !described && describable(path) {
			add(method, path, "%s is not described; add the operation")
		}
	}
	for _, o := range document.Operations {
		if !slices.Contains(routes, o.Key()) {
			add(o.Method, o.Path, "%s is not a route of the service; remove the operation, or add the route")
		}
	}
	return findings
}

// describable leaves out the document itself, handlers that are mounted below a path, and
// procedures, whose path is /package.Service/Method.
func describable(path string) bool {
	service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return path != "/openapi.json" && !strings.Contains(path, "*") && !strings.Contains(service, ".")
}
