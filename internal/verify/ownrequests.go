package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/httpfile"
	"github.com/observability-first/scaffold/internal/proof"
)

// RequestFile is the name of the user's own requests in a service's folder.
const RequestFile = "verify.http"

// answered is what a named request was answered with.
type answered struct {
	header http.Header
	body   any
}

// own sends the requests of verify.http in order and proves that each is answered
// as it says.
func (d *driver) own(ctx context.Context, name string, file httpfile.File) []proof.Proof {
	answers := map[string]answered{}
	lookup := func(placeholder string) (string, bool) { return d.value(file, answers, placeholder, 0) }
	var out []proof.Proof
	for _, r := range file.Requests {
		p := proof.Proof{Section: sectionTraffic, Claim: strings.TrimSpace("own request: " + title(r)), File: name, Line: r.Line, Status: proof.Holds}
		status, problem := d.sendOwn(ctx, r, lookup, answers)
		p.Detail = fmt.Sprintf("answers %d", status)
		if problem != nil {
			p.Status, p.Detail = proof.Fails, problem.Error()
		}
		out = append(out, p)
	}
	return out
}

func title(r httpfile.Request) string {
	if r.Title != "" {
		return r.Title
	}
	return r.Method + " " + r.URL
}

func (d *driver) sendOwn(ctx context.Context, r httpfile.Request, lookup func(string) (string, bool), answers map[string]answered) (status int, err error) {
	filled, err := r.Fill(lookup)
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(filled.URL, d.base) {
		return 0, fmt.Errorf("%s is not this service; begin the address with {{host}}", filled.URL)
	}
	req, err := http.NewRequestWithContext(ctx, filled.Method, filled.URL, bytes.NewReader([]byte(filled.Body)))
	if err != nil {
		return 0, err
	}
	for _, f := range filled.Header {
		req.Header.Add(f.Name, f.Value)
	}
	status, header, body, err := d.send(req)
	if err != nil {
		return 0, err
	}
	if r.Name != "" {
		a := answered{header: header}
		_ = json.Unmarshal(body, &a.body) // what is no JSON has no fields to read
		answers[r.Name] = a
	}
	switch {
	case r.Expect != 0 && status != r.Expect:
		return status, fmt.Errorf("answers %d, expected %d: %s", status, r.Expect, firstLine(body))
	case r.Expect == 0 && status >= http.StatusInternalServerError:
		return status, fmt.Errorf("answers %d: %s; write # @expect %d above the request if that is right", status, firstLine(body), status)
	}
	return status, nil
}

// maxNesting bounds variables that are made of variables.
const maxNesting = 10

// value gives a placeholder its value: what editors know, a variable of the file,
// or a part of an earlier answer.
func (d *driver) value(file httpfile.File, answers map[string]answered, name string, depth int) (string, bool) {
	switch name {
	case "host", "baseUrl":
		return d.base, true
	case "$uuid", "$guid", "$random.uuid":
		return fmt.Sprintf("019a0000-0000-7000-9000-%012x", d.count()), true
	case "$timestamp", "$randomInt":
		return strconv.Itoa(1_700_000_000 + d.count()), true
	}
	if text, ok := file.Variables[name]; ok && depth < maxNesting {
		filled, err := httpfile.Request{URL: text}.Fill(func(inner string) (string, bool) { return d.value(file, answers, inner, depth+1) })
		return filled.URL, err == nil
	}
	request, rest, ok := strings.Cut(name, ".response.")
	a, known := answers[request]
	if !ok || !known {
		return "", false
	}
	if field, ok := strings.CutPrefix(rest, "headers."); ok {
		return a.header.Get(field), a.header.Get(field) != ""
	}
	steps := strings.Split(strings.TrimPrefix(strings.TrimPrefix(rest, "body."), "$."), ".")
	return dig(a.body, steps)
}

// dig follows keys and indexes into an answer.
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
