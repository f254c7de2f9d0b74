package spec

import (
	"go/doc"
	"go/token"
	"slices"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
)

// reservedFor returns why generated code cannot use the word as the name of a package or
// variable, or "".
func reservedFor(word string) string {
	switch {
	case token.IsKeyword(word):
		return "a Go keyword"
	case doc.IsPredeclared(word):
		return "predeclared in Go"
	case slices.Contains(generatedNames(), word):
		return "already used in the generated code"
	case slices.Contains(importedNames(), word) || slices.ContainsFunc(components.All(), func(c components.Named) bool {
		return slices.Contains(c.Parts(component.Service{}).Reserved, word)
	}):
		return "a package that the generated code imports"
	case isSpecialDirectory(word):
		return "a directory name with a special meaning"
	}
	return ""
}

// generatedNames are the packages of a generated service, except the one of its resource, and
// their identifiers. The test of package templates uses every identifier of the generated code
// as a resource, and reports which one to add here.
func generatedNames() []string {
	return []string{
		"api", "main", "store", "cmd", "deploy", "observability",
		"service", "services", "handler", "handlers", "memory", "page", "pages", "problem", "problems",
		"routes", "run", "defaults", "version", "init",
		// Found by the test of package templates.
		"after", "body", "c", "cfg", "change", "code", "columns", "create", "created", "ctx", "current", "db", "digest", "encoder",
		"document", "err", "etag", "first", "found", "fresh", "h", "hash", "header", "i", "id", "in", "inserted", "item",
		"key", "lifetime", "limit", "list", "m", "missing", "name", "now", "ok", "open", "openapi", "params", "r", "renamed", "response", "row", "rows", "running",
		"s", "scan", "send", "single", "start", "svc", "t", "text", "updated", "updates", "used", "valid", "value", "values", "w", "want",
		// Of two or more words, as packages are named: the resource not-found.
		"anyversion", "idempotencykey", "keyconflict", "keylifetime", "maxnamelength", "newservice", "notfound", "testnormalizename", "versionconflict",
	}
}

// importedNames are packages that generated code imports or that users often import in
// handlers.
func importedNames() []string {
	return []string{
		// standard library
		"bytes", "cmp", "context", "embed", "errors", "fmt", "http", "httptest", "io", "json", "log", "maps", "math",
		"net", "os", "rand", "reflect", "regexp", "runtime", "sha256", "slices", "slog", "sort", "sql", "strconv", "strings",
		"sync", "testing", "time", "url",
		// modules
		"chi", "uuid", "prometheus", "otel", "trace", "attribute",
		// the runtime
		"apierror", "config", "health", "httpserver", "overload", "semconv",
		"servicetest", "telemetry",
	}
}

// isSpecialDirectory reports whether the name of a file or directory has a special meaning for
// Go or Windows.
func isSpecialDirectory(name string) bool {
	return slices.Contains([]string{
		"internal", "vendor", "testdata", // Go
		"aux", "con", "nul", "prn", // devices of Windows, with any extension
		"com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
		"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
	}, name)
}
