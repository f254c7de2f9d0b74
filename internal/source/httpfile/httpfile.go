// Package httpfile reads request files of editors (VS Code REST Client, JetBrains HTTP Client), so
// that scaffold verify sends the requests that developers try by hand.
//
//	@customer = 42
//
//	### Create an order
//	# @name created
//	# @expect 201
//	POST {{host}}/v1/orders
//	Content-Type: application/json
//
//	{"name": "for {{customer}}"}
//
//	### Read it back
//	GET {{host}}/v1/orders/{{created.response.body.id}}
//
// Editors treat @expect as a comment. Without it, any status below 500 is expected.
package httpfile

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// File is the requests of a file, in order.
type File struct {
	Variables map[string]string // @name = value, with placeholders
	Requests  []Request
}

// Request is a request with its placeholders.
type Request struct {
	Title  string // text after ###
	Name   string // @name, by which later requests read its response
	Method string
	URL    string
	Header []Field
	Body   string
	Expect int // expected status; 0 for any below 500
	Line   int // of the request line
}

// Field is a header field.
type Field struct{ Name, Value string }

// Limits of a file.
const (
	maxBytes    = 1 << 20
	maxRequests = 1000
)

// Parse reads a file. The error is a [diagnostic.List].
func Parse(name string, src []byte) (File, error) {
	p := parser{name: name, file: File{Variables: map[string]string{}}}
	if len(src) > maxBytes {
		return File{}, diagnostic.List{{File: name, Message: fmt.Sprintf("%d bytes are too many; split the file into files of at most %d", len(src), maxBytes)}}
	}
	if err := recognized(src); err != nil {
		return File{}, diagnostic.List{{File: name, Message: err.Error()}}
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(src), "\ufeff"), "\r\n", "\n")
	for i, line := range strings.Split(text, "\n") {
		p.line(i+1, line)
	}
	p.end()
	if err := p.problems.Err(); err != nil {
		return File{}, err
	}
	return p.file, nil
}

// recognized returns an error if a text is not a request file. Later errors quote the file, which
// must not happen with other files.
func recognized(src []byte) error {
	marks := []string{"###", "http://", "https://", "{{", "@", "# @", "// @"}
	for _, m := range methods() {
		marks = append(marks, m+" ")
	}
	if len(bytes.TrimSpace(src)) > 0 && !userfile.Marked(src, marks...) && !likeRequest.Match(src) {
		return errors.New("no request found; write one such as GET {{host}}/v1/orders, or remove the file")
	}
	return nil
}

// likeRequest matches a request line with a misspelled method.
var likeRequest = regexp.MustCompile(`(?m)^[A-Z]+ (?:\{\{|https?://|/)`)

// part is the current part of a request.
type part int

const (
	inHead part = iota // before the request line
	inHeader
	inBody
)

type parser struct {
	name     string
	file     File
	problems diagnostic.List
	at       part
	now      Request
	body     []string
}

func (p *parser) problemf(line int, source, format string, args ...any) {
	p.problems = append(p.problems, diagnostic.Problem{File: p.name, Line: line, Column: 1, Message: fmt.Sprintf(format, args...), Source: source})
}

func (p *parser) line(n int, line string) {
	switch {
	case strings.HasPrefix(line, "###"):
		p.end()
		p.now.Title = strings.TrimSpace(strings.TrimLeft(line, "#"))
	case p.at == inBody:
		p.body = append(p.body, line)
	case strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//"):
		p.comment(n, line)
	case p.at == inHead && strings.TrimSpace(line) == "":
	case p.at == inHead && strings.HasPrefix(line, "@"):
		p.variable(n, line)
	case p.at == inHead:
		p.requestLine(n, line)
	case strings.TrimSpace(line) == "":
		p.at = inBody
	case line[0] == ' ' || line[0] == '\t':
		p.now.URL += strings.TrimSpace(line) // continuation of a long query
	default:
		p.headerField(n, line)
	}
}

// end adds the current request.
func (p *parser) end() {
	if p.at != inHead {
		p.now.Body = strings.TrimRight(strings.Join(p.body, "\n"), "\n \t")
		if len(p.file.Requests) == maxRequests {
			p.problemf(p.now.Line, "", "more than %d requests; split the file", maxRequests)
		}
		p.file.Requests = append(p.file.Requests, p.now)
	}
	p.at, p.now, p.body = inHead, Request{}, nil
}

// tag matches "# @name value" and "// @name value".
var tag = regexp.MustCompile(`^(?:#|//)\s*@([a-z-]+)(?:\s+(.*))?$`)

func (p *parser) comment(n int, line string) {
	m := tag.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		return
	}
	value := strings.TrimSpace(m[2])
	switch m[1] {
	case "name":
		if !identifier.MatchString(value) {
			p.problemf(n, line, "@name %q: use letters, digits and _, as in created", value)
		}
		p.now.Name = value
	case "expect":
		status, err := strconv.Atoi(value)
		if err != nil || status < 100 || status > 599 {
			p.problemf(n, line, "@expect %q: write a status such as 201", value)
		}
		p.now.Expect = status
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (p *parser) variable(n int, line string) {
	name, value, ok := strings.Cut(line[1:], "=")
	name = strings.TrimSpace(name)
	if !ok || !identifier.MatchString(name) {
		p.problemf(n, line, "write a variable as @name = value")
		return
	}
	p.file.Variables[name] = strings.TrimSpace(value)
}

func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}
}

// protocol matches the version at the end of a request line, which is ignored.
var protocol = regexp.MustCompile(`(?:^|\s)HTTP/[0-9.]+\s*$`)

func (p *parser) requestLine(n int, line string) {
	p.at = inHeader
	p.now.Line = n
	method, rest, ok := strings.Cut(strings.TrimSpace(protocol.ReplaceAllLiteralString(line, "")), " ")
	if !ok && !slices.Contains(methods(), method) {
		method, rest = http.MethodGet, method // a URL alone is a GET
	}
	rest = strings.TrimSpace(rest)
	if !slices.Contains(methods(), method) {
		p.problemf(n, line, "%q is not an HTTP method; write a request as GET {{host}}/v1/orders%s", method, diagnostic.DidYouMean(strings.ToUpper(method), methods()))
	}
	if rest == "" {
		p.problemf(n, line, "the request has no URL; write one such as %s {{host}}/v1/orders", method)
	}
	p.now.Method, p.now.URL = method, rest
}

func (p *parser) headerField(n int, line string) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(name, " \t{}\"") {
		p.problemf(n, line, "invalid header field; write Name: value, and an empty line before the body")
		return
	}
	p.now.Header = append(p.now.Header, Field{name, strings.TrimSpace(value)})
}

// placeholder matches {{name}}.
var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// Fill returns the request with placeholders replaced by the values of lookup. The error names the
// unknown ones.
func (r Request) Fill(lookup func(name string) (string, bool)) (Request, error) {
	var unknown []string
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(m string) string {
			name := placeholder.FindStringSubmatch(m)[1]
			value, ok := lookup(name)
			if !ok && !slices.Contains(unknown, name) {
				unknown = append(unknown, name)
			}
			return value
		})
	}
	out := r
	out.URL, out.Body = fill(r.URL), fill(r.Body)
	out.Header = make([]Field, len(r.Header))
	for i, f := range r.Header {
		out.Header[i] = Field{f.Name, fill(f.Value)}
	}
	if len(unknown) > 0 {
		return Request{}, fmt.Errorf("no value for {{%s}}; declare @name = value above, or add @name to the request whose response it reads", strings.Join(unknown, "}}, {{"))
	}
	return out, nil
}
