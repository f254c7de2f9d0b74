package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

// RequestFile is the name of the file with the user's requests in the service directory.
const RequestFile = "verify.http"

// answered is the response to a named request.
type answered struct {
	header http.Header
	body   any
}

// own sends the requests of verify.http in order and checks the status of each response.
func (d *driver) own(ctx context.Context, name string) []report.Check {
	chat := d.newChat()
	var out []report.Check
	for _, r := range d.file.Requests {
		p := report.Check{Section: sectionTraffic, Name: strings.TrimSpace("own request: " + title(r)), File: name, Line: r.Line, Status: report.Passed}
		status, body, problem := chat.send(ctx, r, well)
		p.Detail = fmt.Sprintf("answers %d", status)
		if problem == nil {
			problem = cmp.Or(d.unrouted(r, status), asExpected(r, status, body))
		}
		if problem != nil {
			p.Status, p.Detail = report.Failed, problem.Error()
		}
		out = append(out, p)
	}
	return out
}

// needsFile reports whether the file has requests to routes that the OpenAPI document does not describe. Only
// the file has requests for them.
func (d *driver) needsFile() bool {
	return slices.ContainsFunc(d.file.Requests, func(r httpfile.Request) bool {
		_, target, _ := strings.Cut(r.URL, "}}")
		address, _, _ := strings.Cut(target, "?")
		for _, route := range d.routes {
			method, pattern, _ := strings.Cut(route, " ")
			if _, described := d.doc.Find(method, pattern); method == r.Method && !described && matchesPattern(pattern, address) {
				return true
			}
		}
		return false
	})
}

// unrouted returns an error if the service rejected a request because no route matches it, which the status
// alone does not prove. A request may expect that status.
func (d *driver) unrouted(r httpfile.Request, status int) error {
	if status != http.StatusNotFound && status != http.StatusMethodNotAllowed || status == r.Expect {
		return nil
	}
	address := d.address(r)
	for _, route := range d.routes {
		if routeServes(route, r.Method, address) {
			return nil
		}
	}
	request := r.Method + " " + address
	return fmt.Errorf("no route matches %s%s", request,
		cmp.Or(diagnostic.DidYouMean(request, d.routes), fmt.Sprintf("; correct the address, or write # @expect %d above the request", status)))
}

// address returns the path of a request. Placeholders of earlier responses stay.
func (d *driver) address(r httpfile.Request) string {
	chat := d.newChat()
	filled := r.URL
	for _, name := range placeholder.FindAllStringSubmatch(r.URL, -1) {
		if value, ok := chat.value(strings.TrimSpace(name[1]), 0); ok {
			filled = strings.Replace(filled, name[0], value, 1)
		}
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(filled, d.base), "?")
	return address
}

var placeholder = regexp.MustCompile(`\{\{(.*?)\}\}`)

// routeServes reports whether a route such as "GET /v1/orders/{id}" serves a request. A GET route also serves
// HEAD, and a pattern that ends in a slash serves all paths below it.
func routeServes(route, method, address string) bool {
	of, pattern, _ := strings.Cut(route, " ")
	if of != method && (of != http.MethodGet || method != http.MethodHead) {
		return false
	}
	return matchesPattern(pattern, address) || strings.HasSuffix(pattern, "/") && matchesPattern(pattern+"{rest...}", address)
}

// unrequested returns the routes to which no request can be sent.
func (d *driver) unrequested() []string {
	sent := slices.Concat(d.order(), d.doc.Operations) // judgeUnimplemented sends those that are not implemented
	var out []string
	for _, route := range d.routes {
		if slices.ContainsFunc(sent, func(op openapi.Operation) bool { return op.Key() == route }) {
			continue
		}
		if !slices.ContainsFunc(d.file.Requests, func(r httpfile.Request) bool { return routeServes(route, r.Method, d.address(r)) }) {
			out = append(out, route)
		}
	}
	return out
}

// matchesPattern reports whether a path belongs to a route. A placeholder matches one segment, or the rest of
// the path if it ends in dots.
func matchesPattern(pattern, address string) bool {
	if subtree, ok := strings.CutSuffix(pattern, "/"); ok {
		pattern, address = subtree, strings.TrimSuffix(address, "/")
	}
	want, got := strings.Split(strings.TrimPrefix(pattern, "/"), "/"), strings.Split(strings.TrimPrefix(address, "/"), "/")
	for i, segment := range want {
		switch {
		case strings.HasSuffix(segment, "...}") || segment == "*":
			return true
		case i >= len(got), strings.HasPrefix(segment, "{") && got[i] == "", !strings.HasPrefix(segment, "{") && segment != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

// fileAgain sends the requests of the file again. Requests with a fault are also sent without it, because
// others read their responses.
func (c *caller) fileAgain(ctx context.Context, how manner, think time.Duration) {
	chat := c.newChat()
	for _, r := range c.file.Requests {
		if ctx.Err() != nil {
			return
		}
		if how != well && how != wrongly {
			_, _, _ = chat.send(context.WithoutCancel(ctx), r, how) // the service counts it
		}
		_, _, _ = chat.send(context.WithoutCancel(ctx), r, well) // its first response was checked
		pause(ctx, think)
	}
}

// chat is one pass through the file, with the responses so far.
type chat struct {
	*driver
	answers map[string]answered
}

func (d *driver) newChat() chat { return chat{d, map[string]answered{}} }

func title(r httpfile.Request) string {
	if r.Title != "" {
		return r.Title
	}
	return r.Method + " " + r.URL
}

// send fills in a request and sends it. It stores the response of a named request that succeeded.
func (c chat) send(ctx context.Context, r httpfile.Request, how manner) (status int, body []byte, err error) {
	filled, err := r.Fill(func(placeholder string) (string, bool) { return c.value(placeholder, 0) })
	if err != nil {
		return 0, nil, err
	}
	if !strings.HasPrefix(filled.URL, c.base) {
		return 0, nil, fmt.Errorf("%s is not this service; start the address with {{host}}", filled.URL)
	}
	req, err := http.NewRequestWithContext(ctx, filled.Method, filled.URL, bytes.NewReader([]byte(filled.Body)))
	if err != nil {
		return 0, nil, err
	}
	for _, f := range filled.Header {
		req.Header.Add(f.Name, f.Value)
	}
	c.ask(req, how)
	status, header, body, err := c.driver.send(req)
	if err != nil {
		return 0, nil, err
	}
	if r.Name != "" && how == well {
		a := answered{header: header}
		_ = json.Unmarshal(body, &a.body) // a response that is not JSON has no fields
		c.answers[r.Name] = a
	}
	return status, body, nil
}

// asExpected compares a response with what the file expects.
func asExpected(r httpfile.Request, status int, body []byte) error {
	switch {
	case r.Expect != 0 && status != r.Expect:
		return fmt.Errorf("answers %d, expected %d: %s", status, r.Expect, firstLine(body))
	case r.Expect == 0 && status >= http.StatusInternalServerError:
		return fmt.Errorf("got status %d: %s; write # @expect %d above the request if that is correct", status, firstLine(body), status)
	}
	return nil
}

// maxNesting limits variables that refer to variables.
const maxNesting = 10

// value returns the value of a placeholder: a built-in value, a variable of the file, or a part of an earlier
// response.
func (c chat) value(name string, depth int) (string, bool) {
	switch name {
	case "host", "baseUrl":
		return c.base, true
	case "$uuid", "$guid", "$random.uuid":
		return fmt.Sprintf("019a0000-0000-7000-9000-%012x", c.count()), true
	case "$timestamp", "$randomInt":
		return strconv.Itoa(1_700_000_000 + c.count()), true
	}
	if text, ok := c.file.Variables[name]; ok && depth < maxNesting {
		filled, err := httpfile.Request{URL: text}.Fill(func(inner string) (string, bool) { return c.value(inner, depth+1) })
		return filled.URL, err == nil
	}
	request, rest, ok := strings.Cut(name, ".response.")
	a, known := c.answers[request]
	if !ok || !known {
		return "", false
	}
	if field, ok := strings.CutPrefix(rest, "headers."); ok {
		return a.header.Get(field), a.header.Get(field) != ""
	}
	steps := strings.Split(strings.TrimPrefix(strings.TrimPrefix(rest, "body."), "$."), ".")
	return dig(a.body, steps)
}

// dig follows keys and indexes into a response.
func dig(v any, steps []string) (string, bool) {
	for _, step := range steps {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			v = at[i]
		default:
			return "", false
		}
	}
	switch v := v.(type) {
	case nil, map[string]any, []any:
		return "", false
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	default:
		return fmt.Sprint(v), true
	}
}
