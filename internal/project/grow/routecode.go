package grow

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// routeCode is what the package of the routes has.
type routeCode struct {
	src      []byte // of routes.go
	fset     *token.FileSet
	router   string     // the variable of the router
	handlers string     // the variable of the handlers
	wrapper  string     // the function that makes a handler, such as httpserver.Handle
	runtime  string     // import path of the runtime library
	own      []declared // the routes that Routes declares itself
	declared []declared
	names    map[string]place    // functions and methods
	readers  map[string]ast.Expr // result types of functions that read a parameter of the path
	receiver string              // such as h handlers
	args     int                 // of Routes
}

type place struct {
	file         string
	line, column int
	source       string
}

// declared is a route in the code.
type declared struct {
	place

	method, path string
	stmt         ast.Stmt
	call         *ast.CallExpr
}

// routes reads the package of the routes.
func (s Service) routes() (*routeCode, error) {
	files, err := fs.Glob(s.Files, apiDir+"/*.go")
	if err != nil {
		return nil, err
	}
	c := &routeCode{fset: token.NewFileSet(), names: map[string]place{}, readers: map[string]ast.Expr{}}
	var routes *ast.FuncDecl
	var methods []*ast.FuncDecl
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := userfile.ReadFS(s.Files, name, userfile.LargeLimit)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(c.fset, name, src, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.at(name), err)
		}
		if name == routesFile {
			c.src, c.runtime = src, runtimeOf(file)
			routes = function(file, "Routes")
		}
		c.collect(name, src, file)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				methods = append(methods, f)
			}
		}
	}
	if routes == nil || routes.Body == nil {
		return nil, fmt.Errorf("%s: there is no function Routes", s.at(routesFile))
	}
	c.readRoutes(routes)
	if c.findReceiver(methods); c.receiver == "" || c.router == "" {
		return nil, fmt.Errorf("%s: no statement of the function Routes adds a method as a route, such as router.Get(\"/v1/orders\", httpserver.Handle(h.list))", s.at(routesFile))
	}
	return c, nil
}

// runtimeOf returns the import path of the runtime library.
func runtimeOf(file *ast.File) string {
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil && strings.HasSuffix(name, "/httpserver") {
			return path.Dir(name)
		}
	}
	return ""
}

func function(file *ast.File, name string) *ast.FuncDecl {
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name {
			return f
		}
	}
	return nil
}

// collect records the routes, names and readers of a file.
func (c *routeCode) collect(name string, src []byte, file *ast.File) {
	at := func(pos token.Pos) place {
		p := c.fset.Position(pos)
		line := lineAt(src, p.Line)
		return place{name, p.Line, 1 + utf8.RuneCountInString(line[:min(p.Column-1, len(line))]), line}
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		c.names[f.Name.Name] = at(f.Name.Pos())
		if result := readerResult(f); result != nil {
			c.readers[strings.ToLower(strings.TrimPrefix(f.Name.Name, "read"))] = result
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if stmt, ok := n.(*ast.ExprStmt); ok {
			if _, r, ok := routeOf(stmt); ok {
				r.place = at(stmt.Pos())
				c.declared = append(c.declared, r)
			}
		}
		return true
	})
}

// readerResult returns the first result of a function such as readID(r *http.Request) (uuid.UUID, error).
func readerResult(f *ast.FuncDecl) ast.Expr {
	t := f.Type
	if f.Recv != nil || !strings.HasPrefix(f.Name.Name, "read") || t.TypeParams != nil || t.Params.NumFields() != 1 || t.Results.NumFields() != 2 {
		return nil
	}
	request, failed := t.Params.List[0].Type, t.Results.List[len(t.Results.List)-1].Type
	if source(request) != "*http.Request" || source(failed) != "error" {
		return nil
	}
	return t.Results.List[0].Type
}

// source returns the text of an expression.
func source(e ast.Expr) string {
	var b bytes.Buffer
	_ = format.Node(&b, token.NewFileSet(), e) // bytes.Buffer has no errors, and e was parsed
	return b.String()
}

// routeOf reads a statement such as router.Get("/v1/orders", ...).
func routeOf(stmt ast.Stmt) (router string, r declared, ok bool) {
	expr, ok := stmt.(*ast.ExprStmt)
	if !ok {
		return "", r, false
	}
	call, ok := expr.X.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", r, false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", r, false
	}
	on, isName := fun.X.(*ast.Ident)
	text, isLiteral := call.Args[0].(*ast.BasicLit)
	method := strings.ToUpper(fun.Sel.Name)
	if !isName || !isLiteral || text.Kind != token.STRING || !slices.Contains(append(Methods(), "HEAD", "OPTIONS"), method) {
		return "", r, false
	}
	pattern, err := strconv.Unquote(text.Value)
	return on.Name, declared{method: method, path: pattern, stmt: stmt, call: call}, err == nil && strings.HasPrefix(pattern, "/")
}

// readRoutes reads the statements of Routes.
func (c *routeCode) readRoutes(f *ast.FuncDecl) {
	c.args = f.Type.Params.NumFields()
	for _, stmt := range f.Body.List {
		router, r, ok := routeOf(stmt)
		if !ok {
			continue
		}
		if wrapped, ok := r.call.Args[1].(*ast.CallExpr); ok && len(wrapped.Args) == 1 && c.handlers == "" {
			if method, ok := wrapped.Args[0].(*ast.SelectorExpr); ok {
				if on, ok := method.X.(*ast.Ident); ok {
					c.router, c.handlers, c.wrapper, c.receiver = router, on.Name, source(wrapped.Fun), method.Sel.Name
				}
			}
		}
		r.line = c.fset.Position(stmt.End()).Line
		c.own = append(c.own, r)
	}
}

// findReceiver replaces the name of a handler by its receiver.
func (c *routeCode) findReceiver(methods []*ast.FuncDecl) {
	handler := c.receiver
	c.receiver = ""
	for _, f := range methods {
		if f.Recv == nil || f.Name.Name != handler {
			continue
		}
		recv := f.Recv.List[0]
		c.receiver = source(recv.Type)
		if len(recv.Names) > 0 && recv.Names[0].Name != "_" {
			c.receiver = recv.Names[0].Name + " " + c.receiver
		}
	}
}

// splice adds a line after the last route whose path has the longest beginning in common.
func (c *routeCode) splice(pattern, line string) ([]byte, error) {
	var after declared
	longest := 0
	for _, r := range c.own {
		if n := openapi.CommonSegments(r.path, pattern); n >= longest && r.path != "/openapi.json" {
			after, longest = r, n
		}
	}
	begin := c.fset.Position(after.stmt.Pos()).Offset
	end := c.fset.Position(after.stmt.End()).Offset
	if n := bytes.IndexByte(c.src[end:], '\n'); n >= 0 {
		end += n + 1
	}
	start := bytes.LastIndexByte(c.src[:begin], '\n') + 1
	indent := c.src[start : start+len(c.src[start:begin])-len(bytes.TrimLeft(c.src[start:begin], " \t"))]
	eol := "\n"
	if bytes.HasSuffix(c.src[:end], []byte("\r\n")) {
		eol = "\r\n"
	}
	out := slices.Concat(c.src[:end], indent, []byte(line+eol), c.src[end:])
	return out, c.onlyAdds(out, line)
}

// onlyAdds checks that Routes has one more statement, which is the line.
func (c *routeCode) onlyAdds(text []byte, line string) error {
	unusual := errors.New("the function Routes has an unusual form")
	file, err := parser.ParseFile(token.NewFileSet(), routesFile, text, parser.SkipObjectResolution)
	if err != nil {
		return unusual
	}
	f := function(file, "Routes")
	if f == nil {
		return unusual
	}
	added := 0
	n := 0
	for _, stmt := range f.Body.List {
		if _, _, ok := routeOf(stmt); ok {
			n++
			if source(stmt.(*ast.ExprStmt).X) == line {
				added++
			}
		}
	}
	if n != len(c.own)+1 || added != 1 {
		return unusual
	}
	return nil
}
