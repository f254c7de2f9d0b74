// Package service is the pattern of an HTTP API that creates, reads, changes and deletes one resource.
package service

import (
	"embed"

	"github.com/observability-first/scaffold/templates/component"
)

// templates has the files and slots, and what package record recorded.
//
//go:embed all:files all:slots all:recorded
var templates embed.FS

// Parts returns what the pattern adds to a service.
func Parts(s component.Service) component.Parts {
	return component.Parts{
		Templates:    templates,
		Files:        files(s.Stored),
		Reserved:     reserved(),
		Summary:      "HTTP API of one resource",
		ResourcePath: "/v1/" + s.Plural,
	}
}

// files has a store in memory, unless a component stores the resource.
func files(stored bool) []component.File {
	const domain = "internal/{{.One.Package}}/{{.One.Package}}"
	all := []component.File{
		{Path: "cmd/{{.Binary}}/main.go", Template: "files/cmd/main.go.tmpl", Owner: component.Merged},
		{Path: "cmd/{{.Binary}}/main_test.go", Template: "files/cmd/main_test.go.tmpl"},
		{Path: domain + ".go", Template: "files/internal/resource/resource.go.tmpl"},
		{Path: domain + "_test.go", Template: "files/internal/resource/resource_test.go.tmpl"},
		{Path: "internal/api/routes.go", Template: "files/internal/api/routes.go.tmpl", Owner: component.Merged},
		{Path: "internal/api/{{.One.Snake}}.go", Template: "files/internal/api/handlers.go.tmpl"},
		{Path: "internal/api/params.go", Template: "files/internal/api/params.go.tmpl"},
		{Path: "internal/api/routes_test.go", Template: "files/internal/api/routes_test.go.tmpl"},
		{Path: "api/openapi.json", Template: "files/api/openapi.json.tmpl", Owner: component.Merged},
		{Path: "api/openapi.go", Template: "files/api/openapi.go.tmpl"},
		{Path: "internal/store/store_test.go", Template: "files/internal/store/store_test.go.tmpl"},
		{Path: "verify.http", Template: "files/verify.http.tmpl"},
	}
	if !stored {
		all = append(all, component.File{Path: "internal/store/memory.go", Template: "files/internal/store/memory.go.tmpl"})
	}
	return all
}

// reserved are packages of the generated code, and the identifiers that TestNoResourceBreaksGeneratedCode found.
func reserved() []string {
	return []string{
		"api", "store", "service", "services", "handler", "handlers", "memory", "page", "pages", "problem", "problems", "routes",
		"after", "body", "c", "cfg", "change", "code", "create", "created", "ctx", "current", "digest", "encoder",
		"document", "err", "etag", "first", "found", "fresh", "h", "hash", "header", "i", "id", "in", "item",
		"key", "lifetime", "limit", "list", "m", "missing", "name", "now", "ok", "open", "openapi", "params", "r", "renamed", "response", "running",
		"s", "send", "single", "start", "svc", "t", "text", "updated", "updates", "used", "valid", "value", "values", "w", "want",
		// Of two or more words, as packages are named: the resource not-found.
		"anyversion", "idempotencykey", "keyconflict", "keylifetime", "maxnamelength", "newservice", "notfound", "testnormalizename", "versionconflict",
	}
}
