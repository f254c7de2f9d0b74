// Package apierror defines the errors of an API.
//
// An [Error] has a [Code], which determines HTTP status, log level and span status, and a message
// for the client. All other errors are internal: they are logged, and their message is not sent
// to the client.
//
//	return apierror.NotFound("order %s does not exist", id)
//	return apierror.Unavailable("the payment provider does not respond").WithCause(err)
package apierror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Code is the kind of an error.
type Code string

// Codes of errors. The HTTP statuses are those of RFC 9110, and the names are those of gRPC where
// one exists.
const (
	CodeInvalid              Code = "invalid"               // 422: the request was parsed but is invalid
	CodeMalformed            Code = "malformed"             // 400: the request does not parse
	CodeUnauthenticated      Code = "unauthenticated"       // 401: the caller is not authenticated
	CodeForbidden            Code = "forbidden"             // 403: the caller is not authorized
	CodeNotFound             Code = "not_found"             // 404: the resource does not exist
	CodeTimeout              Code = "request_timeout"       // 408: the request did not arrive in time
	CodeConflict             Code = "conflict"              // 409: the request conflicts with the current state
	CodePreconditionFailed   Code = "precondition_failed"   // 412: the resource changed since the caller read it
	CodeTooLarge             Code = "too_large"             // 413: the body exceeds the limit
	CodeNotAllowed           Code = "method_not_allowed"    // 405: the path does not support the method
	CodeUnsupported          Code = "unsupported"           // 406, 415: unsupported media type
	CodePreconditionRequired Code = "precondition_required" // 428: the request needs If-Match
	CodeExhausted            Code = "exhausted"             // 429: too many requests
	CodeCanceled             Code = "canceled"              // 499: the client disconnected
	CodeInternal             Code = "internal"              // 500: the service failed
	CodeUnimplemented        Code = "unimplemented"         // 501: the service does not have the operation yet
	CodeUnavailable          Code = "unavailable"           // 503: a dependency is down or the service is overloaded
	CodeDeadlineExceeded     Code = "deadline_exceeded"     // 504: the response took too long
)

// Status returns the HTTP status of the code, or 500 for an unknown code. It is a switch and not
// a map, because an overloaded service calls it for every rejected request.
func (c Code) Status() int {
	switch c {
	case CodeInvalid:
		return http.StatusUnprocessableEntity
	case CodeMalformed:
		return http.StatusBadRequest
	case CodeUnauthenticated:
		return http.StatusUnauthorized
	case CodeForbidden:
		return http.StatusForbidden
	case CodeNotFound:
		return http.StatusNotFound
	case CodeTimeout:
		return http.StatusRequestTimeout
	case CodeConflict:
		return http.StatusConflict
	case CodePreconditionFailed:
		return http.StatusPreconditionFailed
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeNotAllowed:
		return http.StatusMethodNotAllowed
	case CodeUnsupported:
		return http.StatusUnsupportedMediaType
	case CodePreconditionRequired:
		return http.StatusPreconditionRequired
	case CodeExhausted:
		return http.StatusTooManyRequests
	case CodeCanceled:
		return statusClientClosedRequest
	case CodeUnimplemented:
		return http.StatusNotImplemented
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// statusClientClosedRequest is nginx's status for a client that disconnected. It appears only in
// metrics and logs.
const statusClientClosedRequest = 499

// Field is one invalid part of a request.
type Field struct {
	Location string `json:"location,omitempty"` // such as body.items[3].price
	Message  string `json:"message"`
}

// Error is an error with a message for the client.
type Error struct {
	Code    Code
	Message string
	Fields  []Field // invalid fields, for CodeInvalid
	cause   error
}

// Error returns the message and the cause. It is for logs; clients get Message.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of the error with a cause, which is logged and never sent to the
// client.
func (e *Error) WithCause(cause error) *Error {
	with := *e
	with.cause = cause
	return &with
}

// New returns an error with the code. The message is sent to the client.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns a CodeInvalid error with the invalid fields.
func Invalid(message string, fields ...Field) *Error {
	return &Error{Code: CodeInvalid, Message: message, Fields: fields}
}

// Join returns one CodeInvalid error with the fields of all errors that have this code. If an
// error has another code, Join returns the first such error alone. It returns nil if all are nil.
func Join(errs ...error) error {
	var all *Error
	for _, err := range errs {
		e := From(err)
		switch {
		case e == nil:
		case e.Code != CodeInvalid:
			return err
		case all == nil:
			first := *e
			all = &first
		default:
			all.Fields = slices.Concat(all.Fields, e.Fields)
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// NotFound returns a CodeNotFound error.
func NotFound(format string, args ...any) *Error { return New(CodeNotFound, format, args...) }

// Conflict returns a CodeConflict error.
func Conflict(format string, args ...any) *Error { return New(CodeConflict, format, args...) }

// PreconditionFailed returns a CodePreconditionFailed error.
func PreconditionFailed(format string, args ...any) *Error {
	return New(CodePreconditionFailed, format, args...)
}

// Unavailable returns a CodeUnavailable error.
func Unavailable(format string, args ...any) *Error { return New(CodeUnavailable, format, args...) }

// From returns the [Error] in err's chain. The error of an ended context becomes CodeCanceled or
// CodeDeadlineExceeded, and [http.MaxBytesError] becomes CodeTooLarge. Any other error becomes
// CodeInternal with a message without details. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(CodeTooLarge, "the body exceeds the limit of %d bytes", tooLarge.Limit).WithCause(err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return New(CodeCanceled, "the client closed the request").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return New(CodeDeadlineExceeded, "the response took too long").WithCause(err)
	}
	return New(CodeInternal, "internal error").WithCause(err)
}
