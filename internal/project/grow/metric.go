package grow

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// MetricTypes returns the types of metrics that a service can declare.
func MetricTypes() []string {
	return []string{string(declared.Counter), string(declared.Gauge), string(declared.Histogram)}
}

// Metric adds the declaration of a metric to the command of the service, before it serves. The error is a
// [diagnostic.List] for invalid names.
func (s Service) Metric(m declared.Metric) (Change, error) {
	if err := s.checkMetric(m); err != nil {
		return Change{}, err
	}
	file := path.Join("cmd", s.Spec.Binary(), "main.go")
	src, err := userfile.ReadFS(s.Files, file, userfile.LargeLimit)
	if err != nil {
		return Change{}, err
	}
	c, err := readCommand(s.path(file), src)
	if err != nil {
		return Change{}, err
	}
	name := c.free(variable(m.Name))
	lines := declaration(c, name, m)
	if c.at < 0 {
		problem := s.problem(file, "no statement of a function with a *runtime.Service calls its Handle")
		return Change{}, fmt.Errorf("%w\nDeclare the metric by hand:\n\n\t%s", problem, strings.Join(lines, "\n\t"))
	}
	out, err := c.insert(lines)
	if err != nil {
		return Change{}, err
	}
	line := 1 + bytes.Count(out[:c.at], []byte("\n"))
	return Change{
		Files: []templates.File{{Path: file, Mode: 0o644, Data: out, Owner: templates.UserOwned}},
		Next:  []string{fmt.Sprintf("Pass %s to the code that %s, at %s:%d.", name, does(m.Type), s.path(file), line)},
	}, nil
}

// does returns what the code does with a metric.
func does(metric declared.Type) string {
	switch metric {
	case declared.Counter:
		return "counts"
	case declared.Gauge:
		return "sets it"
	}
	return "measures"
}

// checkMetric reports invalid names, as the service would at its start, and a name that it has already.
func (s Service) checkMetric(m declared.Metric) error {
	list := namingProblems(m)
	if data, err := userfile.ReadFS(s.Files, "observability/telemetry.json", userfile.LargeLimit); err == nil {
		signals, _ := templates.ParseSignals("telemetry.json", data) // scaffold check reports a damaged file
		if slices.ContainsFunc(signals.Metrics, func(other declared.Metric) bool { return other.Name == m.Name }) {
			list = append(list, diagnostic.Problem{Path: "NAME", Message: "the service has the metric " + m.Name + " already; choose another name"})
		}
	}
	return list.Err()
}

// bounds returns the bounds of a histogram by the unit of its name.
func bounds(name string) []float64 {
	switch {
	case strings.HasSuffix(name, "_seconds"):
		return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	case strings.HasSuffix(name, "_bytes"):
		return []float64{256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304}
	}
	return []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
}

// variable returns the name of the variable of a metric: its words without the suffix of the type or unit.
func variable(metric string) string {
	name := metric
	for _, suffix := range []string{"_total", "_seconds", "_bytes", "_items", "_ratio"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return spec.Noun(strings.ReplaceAll(name, "_", "-")).Local()
}

// declaration returns the statements that declare a metric.
func declaration(c *command, name string, m declared.Metric) []string {
	args := []string{strconv.Quote(m.Name), strconv.Quote(m.Help)}
	if m.Type == declared.Histogram {
		var all []string
		for _, b := range bounds(m.Name) {
			all = append(all, strconv.FormatFloat(b, 'f', -1, 64))
		}
		args = append(args, "[]float64{"+strings.Join(all, ", ")+"}")
	}
	for _, label := range m.Labels {
		args = append(args, strconv.Quote(label))
	}
	method := strings.ToUpper(string(m.Type[:1])) + string(m.Type[1:])
	return []string{
		fmt.Sprintf("%s, %s := %s.Metrics().%s(%s)", name, c.err, c.service, method, strings.Join(args, ", ")),
		"if " + c.err + " != nil {",
		"\treturn " + c.err,
		"}",
		fmt.Sprintf("_ = %s // TODO: pass it to the code that %s", name, does(m.Type)),
	}
}

// command is the main.go of a service.
type command struct {
	file    string
	src     []byte
	service string // the variable with the *runtime.Service
	err     string // the variable for an error
	at      int    // offset of the line that calls its Handle; -1 without one
	names   map[string]bool
	// statements is the number of those in the function.
	statements int
}

func readCommand(file string, src []byte) (*command, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err // with the place
	}
	c := &command{file: file, src: src, service: "svc", err: "err", at: -1, names: map[string]bool{}}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			c.names[id.Name] = true
		}
		return true
	})
	for _, decl := range parsed.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || serviceOf(f) == "" {
			continue
		}
		for i, stmt := range f.Body.List {
			if calls(stmt, serviceOf(f), "Handle") && c.at < 0 {
				c.service, c.statements = serviceOf(f), len(f.Body.List)
				if slices.ContainsFunc(f.Body.List[i:], declaresErr) {
					c.err = c.free("errMetric")
				}
				c.at = bytes.LastIndexByte(src[:fset.Position(stmt.Pos()).Offset], '\n') + 1
			}
		}
	}
	return c, nil
}

// serviceOf returns the name of a function's parameter of type *runtime.Service, or "".
func serviceOf(f *ast.FuncDecl) string {
	for _, field := range f.Type.Params.List {
		pointer, ok := field.Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		if selector, ok := pointer.X.(*ast.SelectorExpr); ok && selector.Sel.Name == "Service" && len(field.Names) == 1 {
			return field.Names[0].Name
		}
	}
	return ""
}

// declaresErr reports whether a statement is no longer valid if err is declared before it.
func declaresErr(stmt ast.Stmt) bool {
	names := []string{}
	switch n := stmt.(type) {
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			if id, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE && id.Name != "_" {
				names = append(names, id.Name)
			}
		}
		return slices.Equal(names, []string{"err"})
	case *ast.DeclStmt:
		decl, ok := n.Decl.(*ast.GenDecl)
		if !ok {
			return false
		}
		for _, spec := range decl.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok && slices.ContainsFunc(value.Names, func(id *ast.Ident) bool { return id.Name == "err" }) {
				return true
			}
		}
	}
	return false
}

// calls reports whether a statement is a call of the method.
func calls(stmt ast.Stmt, receiver, method string) bool {
	expr, ok := stmt.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := expr.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != method {
		return false
	}
	id, ok := selector.X.(*ast.Ident)
	return ok && id.Name == receiver
}

// free returns the name, or one that the file does not have.
func (c *command) free(name string) string {
	for token.IsKeyword(name) || c.names[name] {
		name += "Metric"
	}
	return name
}

// insert adds lines before the call, with its indentation.
func (c *command) insert(lines []string) ([]byte, error) {
	rest := c.src[c.at:]
	indent := rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))]
	end := "\n"
	if bytes.Contains(c.src, []byte("\r\n")) {
		end = "\r\n"
	}
	var text []byte
	for _, line := range lines {
		text = slices.Concat(text, indent, []byte(line+end))
	}
	out := slices.Concat(c.src[:c.at], text, rest)
	if again, err := readCommand(c.file, out); err != nil || again.at != c.at+len(text) || again.statements != c.statements+3 {
		return nil, fmt.Errorf("%s: the function has an unusual form\nDeclare the metric by hand:\n\n\t%s", c.file, strings.Join(lines, "\n\t"))
	}
	return out, nil
}
