// Package fault says what went wrong in words that a caller may read.
//
// A [Fault] has a [Code], which decides status, log level and span status once
// for the whole service, and a message for the person at the other end. Every
// other error is [Internal]: it is logged, and the caller learns nothing of it.
//
//	return fault.NotFound("order %s does not exist", id)
//	return fault.Unavailable("the payment provider does not answer").Because(err)
package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Code is the kind of a fault.
type Code string

// The kinds of fault. Their HTTP statuses are those of RFC 9110, and their names
// those of the gRPC codes where one exists.
const (
	CodeInvalid            Code = "invalid"             // 422: the request is understood and wrong
	CodeMalformed          Code = "malformed"           // 400: the request cannot be read
	CodeUnauthenticated    Code = "unauthenticated"     // 401: say who you are
	CodeForbidden          Code = "forbidden"           // 403: you may not
	CodeNotFound           Code = "not_found"           // 404: there is no such thing
	CodeTimeout            Code = "request_timeout"     // 408: the request did not arrive in time
	CodeConflict           Code = "conflict"            // 409: it clashes with what is there
	CodePreconditionFailed Code = "precondition_failed" // 412: it changed since you read it
	CodeTooLarge           Code = "too_large"           // 413: the body is over the limit
	CodeNotAllowed         Code = "method_not_allowed"  // 405: not with this method
	CodeUnsupported        Code = "unsupported"         // 406, 415: not in this format
	CodePreconditionNeeded Code = "precondition_needed" // 428: say which version you change
	CodeExhausted          Code = "exhausted"           // 429: you asked too often
	CodeCanceled           Code = "canceled"            // 499: the caller went away
	CodeInternal           Code = "internal"            // 500: our mistake
	CodeUnavailable        Code = "unavailable"         // 503: something we need is away
	CodeDeadlineExceeded   Code = "deadline_exceeded"   // 504: it took too long
)

// Status is the HTTP status of the code; 500 for an unknown one. Refusals of an
// overloaded service ask for it by the thousand: it is a switch and no map.
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

// CodeOf is the code for an HTTP status that a router or framework chose.
func CodeOf(status int) Code {
	for _, code := range codes() {
		if code.Status() == status {
			return code
		}
	}
	switch {
	case status == http.StatusNotAcceptable:
		return CodeUnsupported
	case status >= http.StatusInternalServerError:
		return CodeInternal
	}
	return CodeMalformed
}

func codes() []Code {
	return []Code{
		CodeInvalid, CodeMalformed, CodeUnauthenticated, CodeForbidden, CodeNotFound, CodeTimeout, CodeConflict,
		CodePreconditionFailed, CodeTooLarge, CodeNotAllowed, CodeUnsupported, CodePreconditionNeeded, CodeExhausted,
		CodeCanceled, CodeInternal, CodeUnavailable, CodeDeadlineExceeded,
	}
}

// statusClientClosedRequest is nginx's number for a caller that went away. It
// stands in metrics only; nobody is left to read it.
const statusClientClosedRequest = 499

// Field is one thing that is wrong with a request.
type Field struct {
	Location string `json:"location,omitempty"` // as in body.items[3].price
	Message  string `json:"message"`
}

// Fault is an error whose message the caller may read.
type Fault struct {
	Code    Code
	Message string
	Fields  []Field // every wrong field, for CodeInvalid
	cause   error
}

// Error gives the message and, for our own logs, the cause.
func (f *Fault) Error() string {
	if f.cause == nil {
		return f.Message
	}
	return f.Message + ": " + f.cause.Error()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.cause }

// Because returns the fault with a cause, which is logged and never shown.
func (f *Fault) Because(cause error) *Fault {
	with := *f
	with.cause = cause
	return &with
}

// New returns a fault. The message is shown to the caller.
func New(code Code, format string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid lists what is wrong with a request that could be read.
func Invalid(message string, fields ...Field) *Fault {
	return &Fault{Code: CodeInvalid, Message: message, Fields: fields}
}

// NotFound says that there is no such thing.
func NotFound(format string, args ...any) *Fault { return New(CodeNotFound, format, args...) }

// Conflict says that the request clashes with what is there.
func Conflict(format string, args ...any) *Fault { return New(CodeConflict, format, args...) }

// PreconditionFailed says that the thing changed since the caller read it.
func PreconditionFailed(format string, args ...any) *Fault {
	return New(CodePreconditionFailed, format, args...)
}

// Unavailable says that something which the service needs does not answer.
func Unavailable(format string, args ...any) *Fault { return New(CodeUnavailable, format, args...) }

// Of returns the fault in err's chain. A context that ended becomes
// CodeCanceled or CodeDeadlineExceeded, a body over the limit CodeTooLarge;
// anything else becomes CodeInternal with
// a message that tells nothing. Of(nil) is nil.
func Of(err error) *Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(CodeTooLarge, "the body is over the limit of %d bytes", tooLarge.Limit).Because(err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return New(CodeCanceled, "the caller went away").Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return New(CodeDeadlineExceeded, "the answer took too long").Because(err)
	}
	return New(CodeInternal, "something went wrong on our side").Because(err)
}
