// Package apierror holds the errors that callers of an API may read.
//
// An [Error] has a [Code], which decides the HTTP status, log level and span
// status for the whole service, and a message for the caller. Every other error
// is internal: it is logged, and its message is not sent to the caller.
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

// The kinds of error. Their HTTP statuses are those of RFC 9110, and their names
// those of the gRPC codes where one exists.
const (
	CodeInvalid            Code = "invalid"             // 422: the request is understood and wrong
	CodeMalformed          Code = "malformed"           // 400: the request cannot be read
	CodeUnauthenticated    Code = "unauthenticated"     // 401: the caller did not authenticate
	CodeForbidden          Code = "forbidden"           // 403: the caller may not do this
	CodeNotFound           Code = "not_found"           // 404: it does not exist
	CodeTimeout            Code = "request_timeout"     // 408: the request did not arrive in time
	CodeConflict           Code = "conflict"            // 409: the request conflicts with the current state
	CodePreconditionFailed Code = "precondition_failed" // 412: it changed since the caller read it
	CodeTooLarge           Code = "too_large"           // 413: the body is over the limit
	CodeNotAllowed         Code = "method_not_allowed"  // 405: the path does not support the method
	CodeUnsupported        Code = "unsupported"         // 406, 415: the media type is not supported
	CodePreconditionNeeded Code = "precondition_needed" // 428: the request needs If-Match
	CodeExhausted          Code = "exhausted"           // 429: too many requests
	CodeCanceled           Code = "canceled"            // 499: the caller closed the connection
	CodeInternal           Code = "internal"            // 500: the service failed
	CodeUnavailable        Code = "unavailable"         // 503: a dependency is down or the service is overloaded
	CodeDeadlineExceeded   Code = "deadline_exceeded"   // 504: it took too long
)

// Status returns the HTTP status of the code; 500 for an unknown code. It is a switch
// and not a map because an overloaded service calls it for every rejected request.
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
	case CodePreconditionNeeded:
		return http.StatusPreconditionRequired
	case CodeExhausted:
		return http.StatusTooManyRequests
	case CodeCanceled:
		return statusClientClosedRequest
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// statusClientClosedRequest is nginx's status for a caller that closed the connection. It
// appears in metrics and logs only.
const statusClientClosedRequest = 499

// Field is one thing that is wrong with a request.
type Field struct {
	Location string `json:"location,omitempty"` // as in body.items[3].price
	Message  string `json:"message"`
}

// Error is an error whose message the caller may read.
type Error struct {
	Code    Code
	Message string
	Fields  []Field // every wrong field, for CodeInvalid
	cause   error
}

// Error returns the message and the cause. It is for logs; callers read Message.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of the error with a cause, which is logged and never sent to the caller.
func (e *Error) WithCause(cause error) *Error {
	with := *e
	with.cause = cause
	return &with
}

// New returns an error with the code. The message is sent to the caller.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns an error for a request that was parsed and is wrong, with its wrong fields.
func Invalid(message string, fields ...Field) *Error {
	return &Error{Code: CodeInvalid, Message: message, Fields: fields}
}

// Join returns one CodeInvalid error with the fields of all errors that have this code. If one
// has another code, Join returns the first such error alone. It returns nil if all are nil.
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

// NotFound returns an error for something that does not exist.
func NotFound(format string, args ...any) *Error { return New(CodeNotFound, format, args...) }

// Conflict returns an error for a request that conflicts with the current state.
func Conflict(format string, args ...any) *Error { return New(CodeConflict, format, args...) }

// PreconditionFailed returns an error for something that changed since the caller read it.
func PreconditionFailed(format string, args ...any) *Error {
	return New(CodePreconditionFailed, format, args...)
}

// Unavailable returns an error for a dependency that does not respond.
func Unavailable(format string, args ...any) *Error { return New(CodeUnavailable, format, args...) }

// From returns the [Error] in err's chain. A context that ended becomes
// CodeCanceled or CodeDeadlineExceeded, a body over the limit CodeTooLarge;
// any other error becomes CodeInternal with a message that reveals nothing. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(CodeTooLarge, "the body is over the limit of %d bytes", tooLarge.Limit).WithCause(err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return New(CodeCanceled, "the client closed the request").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return New(CodeDeadlineExceeded, "the response took too long").WithCause(err)
	}
	return New(CodeInternal, "internal error").WithCause(err)
}
