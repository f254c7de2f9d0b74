package grow

import (
	"bytes"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// Files that every route is part of.
const (
	apiDir       = "internal/api"
	routesFile   = apiDir + "/routes.go"
	documentFile = "api/openapi.json"
	fileMode     = 0o644
)

// Methods returns the methods of routes.
func Methods() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

var (
	literal   = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	parameter = regexp.MustCompile(`^\{[a-zA-Z][a-zA-Z0-9_]*\}$`)
	version   = regexp.MustCompile(`^v[0-9]+$`)
)

// Route adds a route with a handler, its test and its operation in the OpenAPI document. The handler responds with status 501.
func (s Service) Route(method, pattern string) (Change, error) {
	r := route{method: method, path: pattern}
	if problems := r.problems(); len(problems) > 0 {
		return Change{}, problems
	}
	r.id, r.summary = r.names()
	code, err := s.routes()
	if err != nil {
		return Change{}, byHand(err, "router.%s(%q, httpserver.Handle(h.%s))", spec.Noun(strings.ToLower(method)).Exported(), pattern, r.handler())
	}
	src, err := userfile.ReadFS(s.Files, documentFile, userfile.LargeLimit)
	if err != nil {
		return Change{}, err
	}
	doc, err := openapi.Parse(src)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", s.at(documentFile), err)
	}
	r.file = path.Join(apiDir, fileName(r.id.Snake()))
	if problems := append(s.taken(r, code), s.described(r, doc)...); len(problems) > 0 {
		return Change{}, problems
	}
	line := fmt.Sprintf("%s.%s(%q, %s(%s.%s))", code.router, spec.Noun(strings.ToLower(method)).Exported(), pattern, code.wrapper, code.handlers, r.handler())
	spliced, err := code.splice(pattern, line)
	if err != nil {
		return Change{}, byHand(fmt.Errorf("%s: %w", s.at(routesFile), err), "%s", line)
	}
	document := src
	if _, described := doc.Find(method, pattern); !described { // it may be described before it is written
		if document, err = doc.Insert(method, pattern, r.operation(src)); err != nil {
			return Change{}, fmt.Errorf("%s: %w", s.at(documentFile), err)
		}
	}
	handler, err := r.handlerSource(code)
	if err != nil {
		return Change{}, err
	}
	test, err := r.testSource(code, s.Spec.Module)
	if err != nil {
		return Change{}, err
	}
	c := Change{Next: []string{fmt.Sprintf("Write what the route does in %s, and its response in %s.", r.file, documentFile)}}
	for _, f := range []templates.File{{Path: documentFile, Data: document}, {Path: r.file, Data: handler}, {Path: r.testFile(), Data: test}, {Path: routesFile, Data: spliced}} {
		f.Mode = fileMode
		c.Files = append(c.Files, f)
	}
	return c, nil
}

// byHand adds the line of a route that cannot be added to an error.
func byHand(err error, format string, args ...any) error {
	return fmt.Errorf("%w\nAdd the route by hand:\n\n\t"+format+"\n", append([]any{err}, args...)...)
}

// at returns a path as the user would write it.
func (s Service) at(file string) string { return filepath.ToSlash(filepath.Join(s.Dir, file)) }

// route is a route to add.
type route struct {
	method, path string
	file         string    // of the handler
	id           spec.Noun // operationId, such as ship-order
	summary      string    // such as Ship an order
}

func (r route) handler() string  { return r.id.Local() }
func (r route) testName() string { return "Test" + r.id.Exported() }
func (r route) testFile() string { return strings.TrimSuffix(r.file, ".go") + "_test.go" }

// params returns the names of the parameters in the path.
func (r route) params() []string {
	var out []string
	for part := range strings.SplitSeq(r.path, "/") {
		if parameter.MatchString(part) {
			out = append(out, strings.Trim(part, "{}"))
		}
	}
	return out
}

// problems returns all errors in the method and the path.
func (r route) problems() diagnostic.List {
	var out diagnostic.List
	add := func(format string, args ...any) {
		out = append(out, diagnostic.Problem{Message: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains(Methods(), r.method) {
		add("unknown method %q; write %s%s", r.method, strings.Join(Methods(), ", "), diagnostic.DidYouMean(r.method, Methods()))
	}
	rest, ok := strings.CutPrefix(r.path, "/")
	if !ok {
		add("the path %q does not begin with /; write %q", r.path, "/"+r.path)
	}
	seen := map[string]bool{}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		switch {
		case part == "" && len(parts) == 1: // the path /
		case part == "":
			add("the path %q has an empty segment; write each / once, and none at the end", r.path)
		case parameter.MatchString(part) && seen[strings.ToLower(part)]:
			add("the path has the parameter %s twice; give each a name of its own", part)
		case parameter.MatchString(part):
			seen[strings.ToLower(part)] = true
		case !literal.MatchString(part) || part == "." || part == "..":
			add("%s", badSegment(part, i == len(parts)-1))
		}
	}
	return out
}

// badSegment describes an invalid segment of a path.
func badSegment(part string, last bool) string {
	switch {
	case strings.Contains(part, "*") && !strings.Contains(part, "{") && !last:
		return fmt.Sprintf("the segment %q has a wildcard, which can only be the last segment; write a parameter such as {name}", part)
	case strings.Contains(part, "*") && !strings.Contains(part, "{"):
		return fmt.Sprintf("the segment %q has a wildcard, which OpenAPI cannot describe; write a parameter such as {name}, or add the route by hand", part)
	case strings.Count(part, "{") != strings.Count(part, "}"):
		return fmt.Sprintf("the segment %q has a brace without its counterpart; write a parameter as {name}", part)
	case strings.HasPrefix(part, "{:"):
		return fmt.Sprintf("the segment %q has a regular expression without a name; write a parameter as {name}", part)
	case strings.HasPrefix(part, "{") && strings.Contains(part, ":"):
		name, _, _ := strings.Cut(part[1:], ":")
		return fmt.Sprintf("the segment %q has a regular expression, which OpenAPI cannot describe; write {%s} and check the value in the handler", part, name)
	case strings.ContainsAny(part, "{}"):
		return fmt.Sprintf("the segment %q is not a parameter; write {name}, with letters, digits and _, as the whole segment", part)
	}
	return fmt.Sprintf("the segment %q has characters other than letters, digits, - . _ and ~; write those", part)
}

// names derives the operationId and the summary from the method and the path.
func (r route) names() (id spec.Noun, summary string) {
	var nouns []spec.Noun
	var suffix string
	parts := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
	ofOne := func(i int) bool { return i+1 < len(parts) && parameter.MatchString(parts[i+1]) }
	for i, part := range parts {
		word := spec.Noun(strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(part), "-"), "-"))
		switch {
		case part == "" || parameter.MatchString(part) || word == "":
		case i == 0 && version.MatchString(part):
			if part != "v1" {
				suffix = "-" + part
			}
		case ofOne(i):
			nouns = append(nouns, word.Singular())
		default:
			nouns = append(nouns, word)
		}
	}
	if len(nouns) == 0 {
		nouns = []spec.Noun{"root"}
	}
	verb, object, one := r.verb(nouns, parameter.MatchString(parts[len(parts)-1]))
	text := object.Text()
	if one {
		text = object.Article() + " " + text
	}
	id = spec.Noun(strings.TrimSuffix(verb+"-"+string(object), "-") + suffix)
	return id, strings.TrimSpace(strings.ToUpper(verb[:1]) + strings.ReplaceAll(verb[1:], "-", " ") + " " + text)
}

// verb returns what the operation does, and with what: POST /v1/orders/{id}/ship ships an order. one is true if that is
// one of several.
func (r route) verb(nouns []spec.Noun, ofOne bool) (verb string, object spec.Noun, one bool) {
	words := func(nouns []spec.Noun) spec.Noun {
		var parts []string
		for _, noun := range nouns {
			parts = append(parts, string(noun))
		}
		return spec.Noun(strings.Join(parts, "-"))
	}
	last := nouns[len(nouns)-1]
	parents := nouns[:len(nouns)-1]
	collection := last.Singular() != last
	switch {
	case r.method == "GET" && collection && !ofOne:
		return "list", words(nouns), false
	case r.method == "POST" && !collection && !ofOne && !needsVerb(last, parents):
		object := words(parents)
		return string(last), object, len(parents) > 0 && object.Singular() == object
	case r.method == "POST" && collection && !ofOne:
		return "create", words(append(slices.Clone(parents), last.Singular())), true
	}
	verbs := map[string]string{"GET": "get", "POST": "post", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
	return verbs[r.method], words(nouns), last.Singular() == last
}

// needsVerb reports whether a last word cannot begin the name of a handler.
func needsVerb(last spec.Noun, parents []spec.Noun) bool {
	return last[0] >= '0' && last[0] <= '9' || len(parents) == 0 && token.IsKeyword(last.Local())
}

// fileName returns the name of a Go file that is neither a test nor for one platform.
func fileName(name string) string {
	last := name[strings.LastIndexByte(name, '_')+1:]
	if slices.Contains(constrained(), last) && strings.Contains(name, "_") {
		return name + "_route.go"
	}
	return name + ".go"
}

// constrained are the last words of file names that Go builds only on some systems, or only in tests.
func constrained() []string {
	return []string{
		"test", "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd", "openbsd", "plan9",
		"solaris", "wasip1", "windows", "zos", "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc", "ppc64",
		"ppc64le", "riscv", "riscv64", "s390x", "sparc", "sparc64", "wasm", "amd64p32", "armbe", "arm64be", "mips64p32", "mips64p32le", "s390",
	}
}

// shape returns the pattern without the names of its parameters.
func shape(pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// taken returns what the route needs and the code already has.
func (s Service) taken(r route, code *routeCode) diagnostic.List {
	var out diagnostic.List
	for _, other := range code.declared {
		var message string
		switch {
		case other.path == r.path && other.method == r.method:
			message = fmt.Sprintf("the route %s %s exists", r.method, r.path)
		case other.path != r.path && shape(other.path) == shape(r.path):
			message = fmt.Sprintf("%s has the parameters of %s with other names; write the path as here", r.path, other.path)
		default:
			continue
		}
		out = append(out, diagnostic.Problem{File: s.at(other.file), Line: other.line, Column: other.column, Message: message, Source: other.source})
	}
	if len(out) > 0 {
		return out // the handler exists, too
	}
	for _, name := range []string{r.handler(), r.testName()} {
		if place, ok := code.names[name]; ok {
			out = append(out, diagnostic.Problem{File: s.at(place.file), Line: place.line, Column: place.column, Source: place.source,
				Message: "the new route needs a function of this name; rename this one first"})
		}
	}
	for _, file := range []string{r.file, r.testFile()} {
		if _, err := fs.Stat(s.Files, file); !errors.Is(err, fs.ErrNotExist) {
			out = append(out, diagnostic.Problem{File: s.at(file), Message: "the file exists, and the new route needs one of this name; rename it first"})
		}
	}
	return out
}

// described returns what the route needs and the OpenAPI document has for another one.
func (s Service) described(r route, doc openapi.Document) diagnostic.List {
	var out diagnostic.List
	for _, op := range doc.Operations {
		line, column := doc.Position(op.Path, op.Method)
		problem := diagnostic.Problem{File: s.at(documentFile), Line: line, Column: column}
		switch {
		case op.Path != r.path && shape(op.Path) == shape(r.path):
			problem.Message = fmt.Sprintf("%s has the parameters of %s with other names; write the path as here", r.path, op.Path)
		case op.ID == string(r.id) && op.Key() != r.method+" "+r.path:
			problem.Message = fmt.Sprintf("%q is the operationId of the new route; rename this one first", op.ID)
		default:
			continue
		}
		out = append(out, problem)
	}
	return out
}

// lineAt returns a line of a text, from 1.
func lineAt(src []byte, line int) string {
	lines := bytes.Split(src, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	return strings.TrimSuffix(string(lines[line-1]), "\r")
}
