package spec

import (
	"go/doc"
	"go/token"
	"slices"
)

// reservedFor returns why generated code cannot use the word as the name of a package or
// variable, or "".
func reservedFor(word string) string {
	switch {
	case token.IsKeyword(word):
		return "a Go keyword"
	case doc.IsPredeclared(word):
		return "predeclared in Go"
	case slices.Contains(generatedNames(), word) || slices.ContainsFunc(AllParts(), func(p Part) bool { return slices.Contains(p.Reserved, word) }):
		return "already used in the generated code"
	case slices.Contains(importedNames(), word):
		return "a package that the generated code imports"
	case isSpecialDirectory(word):
		return "a directory name with a special meaning"
	}
	return ""
}

// generatedNames are directories and identifiers of services of any pattern. Patterns and components have their own. The
// test of package templates uses every identifier of the generated code as a resource, and reports which one to reserve.
func generatedNames() []string {
	return []string{"cmd", "deploy", "observability", "main", "run", "defaults", "version", "init"}
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
