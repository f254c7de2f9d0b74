// Package httpfile reads the plain request files that editors send (VS Code's REST
// Client, JetBrains' HTTP Client), so that the requests of a proof are the ones
// that a developer tries by hand.
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
// The expectation is a comment to editors. Without one an answer below 500 will
// do.
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

// File is the requests of one file, in order.
type File struct {
	Variables map[string]string // @name = value, not yet filled in
	Requests  []Request
}

// Request is one request as it stands in the file, with its placeholders.
type Request struct {
	Title  string // what follows ###
	Name   string // of @name; later requests read its answer by it
	Method string
	URL    string
	Header []Field
	Body   string
	Expect int // wanted status; 0 for any below 500
	Line   int // of the request line
}

// Field is one header field.
type Field struct{ Name, Value string }

// What a file may hold. A request file is typed by hand; beyond this it is
// something else.
const (
	maxBytes    = 1 << 20
	maxRequests = 1000
)

// Parse reads a file. The error is a [diagnostic.List] of everything that is wrong.
func Parse(name string, src []byte) (File, error) {
	p := parser{name: name, file: File{Variables: map[string]string{}}}
	if len(src) > maxBytes {
		return File{}, diagnostic.List{{File: name, Message: fmt.Sprintf("holds %d bytes; a request file has up to %d", len(src), maxBytes)}}
	}
	if err := recognised(src); err != nil {
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

// recognised says why a text is no request file, or returns nil. What is wrong
// with one is quoted, which must not happen to any other file.
func recognised(src []byte) error {
	marks := []string{"###", "http://", "https://", "{{", "@", "# @", "// @"}
	for _, m := range methods() {
		marks = append(marks, m+" ")
	}
	if len(bytes.TrimSpace(src)) > 0 && !userfile.Marked(src, marks...) && !likeRequest.Match(src) {
		return errors.New("holds no request; write one as GET {{host}}/v1/orders, or remove the file")
	}
	return nil
}

// likeRequest is a request line with a method that is misspelt.
var likeRequest = regexp.MustCompile(`(?m)^[A-Z]+ (?:\{\{|https?://|/)`)

// part is where in a request the parser is.
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
		p.now.URL += strings.TrimSpace(line) // a long query on several lines
	default:
		p.headerField(n, line)
	}
}

// end closes a request.
func (p *parser) end() {
	if p.at != inHead {
		p.now.Body = strings.TrimRight(strings.Join(p.body, "\n"), "\n \t")
		if len(p.file.Requests) == maxRequests {
			p.problemf(p.now.Line, "", "is request number %d; a file holds up to %d", maxRequests+1, maxRequests)
		}
		p.file.Requests = append(p.file.Requests, p.now)
	}
	p.at, p.now, p.body = inHead, Request{}, nil
}

// tag is "# @name value" or "// @name value".
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
			p.problemf(n, line, "@name %q: write a name of letters, digits and _, as in created", value)
		}
		p.now.Name = value
	case "expect":
		status, err := strconv.Atoi(value)
		if err != nil || status < 100 || status > 599 {
			p.problemf(n, line, "@expect %q: write a status, as in 201", value)
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

// protocol is the version at the end of a request line, which the client chooses.
var protocol = regexp.MustCompile(`(?:^|\s)HTTP/[0-9.]+\s*$`)

func (p *parser) requestLine(n int, line string) {
	p.at = inHeader
	p.now.Line = n
	method, rest, ok := strings.Cut(strings.TrimSpace(protocol.ReplaceAllLiteralString(line, "")), " ")
	if !ok && !slices.Contains(methods(), method) {
		method, rest = http.MethodGet, method // an address alone is a GET
	}
	rest = strings.TrimSpace(rest)
	if !slices.Contains(methods(), method) {
		p.problemf(n, line, "%q is not an HTTP method; write a request as GET {{host}}/v1/orders%s", method, diagnostic.DidYouMean(strings.ToUpper(method), methods()))
	}
	if rest == "" {
		p.problemf(n, line, "the request has no address; write one as in %s {{host}}/v1/orders", method)
	}
	p.now.Method, p.now.URL = method, rest
}

func (p *parser) headerField(n int, line string) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(name, " \t{}\"") {
		p.problemf(n, line, "is not a header field; write Name: value, and an empty line before the body")
		return
	}
	p.now.Header = append(p.now.Header, Field{name, strings.TrimSpace(value)})
}

// placeholder is {{name}}, with spaces or without.
var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// Fill returns the request with every placeholder replaced by what lookup gives.
// The error names those that lookup does not know.
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
		return Request{}, fmt.Errorf("nothing gives {{%s}} a value; declare @name = value above, or name the request that it reads from", strings.Join(unknown, "}}, {{"))
	}
	return out, nil
}
