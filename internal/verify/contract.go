package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

// documentURL is the name of the document in the schema compiler, which loads nothing.
const documentURL = "urn:openapi"

// contract sends each operation once, compares the response with its schema in the OpenAPI document, and
// checks that values just outside the documented bounds are rejected.
func (s *session) contract(ctx context.Context) {
	if len(s.document.Operations) == 0 {
		return
	}
	if version, _ := s.document.Root()["openapi"].(string); strings.HasPrefix(version, "3.0") {
		s.checks.Add(report.Check{Section: sectionTraffic, Name: "responses match their schemas", Status: report.Skipped, Detail: "schemas of OpenAPI 3.0 are not JSON Schemas; use OpenAPI 3.1"})
		return
	}
	schemas := jsonschema.NewCompiler()
	schemas.AssertFormat()
	if err := schemas.AddResource(documentURL, s.document.Root()); err != nil {
		s.checks.Failf(sectionTraffic, "the OpenAPI document can be read", "%s", err)
		return
	}
	c := caller{driver: s.driver, members: map[string]member{}}
	for _, op := range c.order() {
		if _, described := s.document.Find(op.Method, op.Path); !described || ctx.Err() != nil {
			continue
		}
		problems := c.excesses(ctx, op)
		answered, err := c.answer(ctx, op, schemas)
		if !answered && errors.Join(problems...) == nil {
			continue // judgeRoute reports routes without a successful request
		}
		s.checks.Record(sectionTraffic, op.Key()+" matches the OpenAPI document", "the response matches its schema, and values outside the bounds are rejected",
			errors.Join(append(problems, err)...))
	}
}

// answer sends a valid request and compares the response with its schema. answered is false if the request
// did not succeed.
func (c *caller) answer(ctx context.Context, op openapi.Operation, schemas *jsonschema.Compiler) (answered bool, err error) {
	req, ok := c.request(context.WithoutCancel(ctx), op, well)
	if !ok {
		return false, nil
	}
	status, header, body, err := c.send(req)
	if err != nil || status >= http.StatusMultipleChoices {
		return false, nil //nolint:nilerr // judgeRoute reports it
	}
	c.remember(op, header, body)
	return true, matches(op, status, body, schemas)
}

func matches(op openapi.Operation, status int, body []byte, schemas *jsonschema.Compiler) error {
	pointer, described := op.Response(status)
	switch {
	case !described:
		return fmt.Errorf("status %d is not documented; add it to responses", status)
	case pointer == "":
		return nil
	}
	schema, err := schemas.Compile((&url.URL{Scheme: "urn", Opaque: "openapi", Fragment: pointer}).String())
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the response with status %d is not JSON: %w", status, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("the response with status %d does not match its schema: %w", status, err)
	}
	return nil
}

// excesses sends each value that is just outside its bounds.
func (c *caller) excesses(ctx context.Context, op openapi.Operation) []error {
	var problems []error
	for _, excess := range op.Excesses(c.count()) {
		req, ok := c.request(context.WithoutCancel(ctx), op, well)
		if !ok {
			continue
		}
		switch {
		case excess.Body != nil:
			req.Body, req.GetBody = io.NopCloser(bytes.NewReader(excess.Body)), nil
			req.ContentLength = int64(len(excess.Body))
		case excess.Param.In == "query":
			query := req.URL.Query()
			query.Set(excess.Param.Name, excess.Value)
			req.URL.RawQuery = query.Encode()
		default:
			req.Header.Set(excess.Param.Name, excess.Value)
		}
		status, _, body, err := c.send(req)
		if err == nil {
			err = rejects(excess, status, body)
		}
		problems = append(problems, err)
	}
	return problems
}

// names reports whether a response names a field, such as query.limit. Problem details of the runtime list
// it; in other responses its name may be anywhere.
func names(field string, body []byte) bool {
	type located struct {
		Location string `json:"location"`
	}
	var problem struct {
		Errors []located `json:"errors"`
	}
	if err := json.Unmarshal(body, &problem); err == nil && len(problem.Errors) > 0 && problem.Errors[0].Location != "" {
		return slices.ContainsFunc(problem.Errors, func(e located) bool { return strings.EqualFold(e.Location, field) })
	}
	_, name, _ := strings.Cut(field, ".")
	return json.Valid(body) && strings.Contains(strings.ToLower(string(body)), strings.ToLower(name))
}

// rejects checks that the response is a rejection that names the field. Services without the runtime library
// may respond with status 400 instead of 422.
func rejects(excess openapi.Excess, status int, body []byte) error {
	isRejected := status == http.StatusUnprocessableEntity || status == http.StatusBadRequest
	if !isRejected || !names(excess.Field, body) {
		return fmt.Errorf("%s outside its %s: got status %d, want 422 and the name of the field: %s", excess.Field, excess.Rule, status, firstLine(body))
	}
	return nil
}
