package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
)

// huma calls these functions for every error response. They are global in
// huma (v2.37), so they are set before any API is made.
func init() {
	huma.ValidateStrictCasing = true // Name is not name
	huma.NewErrorWithContext = problem
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problem(nil, status, message, errs...)
	}
}

// problem returns the response body for an error. huma passes the error of a handler
// with status 500; package apierror finds its code and message.
func problem(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	if ctx == nil { // huma builds the schema of an error
		return &httpserver.Problem{Status: status}
	}
	if status == http.StatusInternalServerError && len(errs) == 1 {
		p := httpserver.NewProblem(ctx.Context(), errs[0])
		if p.Status == http.StatusServiceUnavailable {
			ctx.SetHeader("Retry-After", overload.RetryAfter())
		}
		return p
	}
	if status == http.StatusUnsupportedMediaType {
		message = "the content type is not supported; send application/json"
	}
	wrong := apierror.New(apierror.CodeFromStatus(status), "%s", message)
	wrong.Fields = wrongFields(errs)
	return httpserver.NewProblem(ctx.Context(), wrong)
}

func wrongFields(errs []error) []apierror.Field {
	var fields []apierror.Field
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			field := apierror.Field{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
			if field.Location == "path.id" {
				field.Message = "write a UUID"
			}
			fields = append(fields, field)
		}
	}
	return fields
}
