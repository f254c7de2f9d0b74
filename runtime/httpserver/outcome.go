package httpserver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
)

type ending struct {
	status    int    // as recorded; 499 for a client that disconnected
	outcome   string // semconv.Outcome...
	errorType string // error.type of the span; empty without an error
}

type facts struct {
	status    int    // 0 if nothing was written
	panicked  bool   // the handler panicked
	truncated bool   // fewer bytes than Content-Length were written
	shed      bool   // rejected to protect other requests
	rpcCode   string // error code of a procedure whose status is always 200; empty for success
	cause     error  // of the request's context; nil if it has not ended
	writeErr  error  // of writing the response
	bodyErr   error  // of reading the request, caused by the client
	stopping  bool   // the server closed the connections itself
	cut       bool   // cut as a transfer during a shutdown
	late      bool   // the handler took so long that nothing could be written
	impatient bool   // the client left less time than the latency objective
}

// outcome returns the outcome of a request. The first rule that applies decides:
//
//   - A panic of the handler is a server_error, even if a status was sent.
//   - A transfer cut during a shutdown is a client_error with status 499.
//   - A rejection or a 504 is a client_error if the client's deadline and body left less time
//     than the latency objective.
//   - A rejected request is shed.
//   - If the client disconnected before the response was complete, it is a client_error with
//     status 499, unless the server closed the connection. So is a response whose client
//     blocked a write until its deadline.
//   - A 5xx is a client_error if the client caused a read error of the body. The status
//     is the one of that error.
//   - A response shorter than Content-Length, a 5xx, and a response that the server's own
//     deadline prevented (504) is a server_error.
//   - A 4xx is a client_error.
//   - For a procedure that ended with an error code, the code decides.
//   - Everything else is success.
func (f facts) outcome() ending {
	status := f.status
	timedOut := status == 0 && errors.Is(f.cause, context.DeadlineExceeded)
	switch {
	case timedOut:
		status = http.StatusGatewayTimeout
	case status == 0:
		status = http.StatusOK
	}
	switch {
	case f.panicked:
		return ending{max(status, http.StatusInternalServerError), semconv.OutcomeServerError, "panic"}
	case f.cut:
		return ending{semconv.StatusClientClosedRequest, semconv.OutcomeClientError, ""}
	case f.impatient && (f.shed || status == http.StatusGatewayTimeout || f.rpcCode == "deadline_exceeded"):
		return ending{status, semconv.OutcomeClientError, ""}
	case f.shed:
		return ending{status, semconv.OutcomeShed, "shed"}
	case f.late:
		return ending{http.StatusGatewayTimeout, semconv.OutcomeServerError, "timeout"}
	case f.callerLeft():
		return ending{semconv.StatusClientClosedRequest, semconv.OutcomeClientError, ""}
	case f.bodyErr != nil && (f.status == 0 || status >= http.StatusInternalServerError):
		return ending{apierror.From(f.bodyErr).Code.Status(), semconv.OutcomeClientError, ""}
	case f.truncated:
		return ending{status, semconv.OutcomeServerError, "truncated"}
	case timedOut:
		return ending{status, semconv.OutcomeServerError, "timeout"}
	case status >= http.StatusInternalServerError:
		return ending{status, semconv.OutcomeServerError, strconv.Itoa(status)}
	case status >= http.StatusBadRequest:
		return ending{status, semconv.OutcomeClientError, ""}
	case f.rpcCode != "":
		return ending{status, rpcOutcome(f.rpcCode), f.rpcCode}
	}
	return ending{status, semconv.OutcomeSuccess, ""}
}

// callerLeft reports whether the response is missing, failed or could not be written because the
// client disconnected. A response that was complete before keeps its outcome.
func (f facts) callerLeft() bool {
	switch {
	case errors.Is(f.writeErr, os.ErrDeadlineExceeded):
		return true
	case f.stopping:
		return false
	case f.writeErr != nil && !misused(f.writeErr):
		return true
	}
	return errors.Is(f.cause, context.Canceled) && (f.status == 0 || f.status >= http.StatusInternalServerError || f.truncated)
}

// misused reports a write error that the handler caused.
func misused(err error) bool {
	return errors.Is(err, http.ErrContentLength) || errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, http.ErrHijacked)
}
