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

// ending is how a request ended.
type ending struct {
	status    int    // as recorded; 499 for a caller that went away
	outcome   string // semconv.Outcome...
	errorType string // error.type of the span; empty when nothing failed
}

// facts are what the outcome is decided on.
type facts struct {
	status    int    // 0 when nothing was written
	panicked  bool   // the handler panicked
	truncated bool   // fewer bytes went out than the header promised
	shed      bool   // refused to protect the others
	rpcCode   string // of a procedure whose status does not tell; empty for success
	cause     error  // of the request's context; nil when it is alive
	writeErr  error  // of writing the answer
	bodyErr   error  // of reading the request, caused by the client
	stopping  bool   // we cut the connections ourselves
	cut       bool   // a stop cut the request as a transfer
	late      bool   // the handler took so long that nothing could be written any more
	impatient bool   // the client left us less time than the latency objective
}

// Outcome decides what a request means. In this order:
//
//   - a handler that panics is a server_error, whatever status went out;
//   - a transfer that a stop cut is a client_error, recorded as 499;
//   - a rejection or a 504 for a client whose deadline and body left us less time than
//     the latency objective is a client_error;
//   - a refused request is shed;
//   - a caller that went away before the answer was complete is a client_error,
//     recorded as 499, unless we cut the connection ourselves; so is one that blocked a
//     write until its deadline;
//   - a 5xx whose handler could not read the request is a client_error, recorded with
//     the status of what the client did wrong;
//   - an answer that is shorter than announced, a 5xx, or an answer that our own
//     deadline prevented (504) is a server_error;
//   - a 4xx is a client_error;
//   - a procedure that ended with an error code is what the code says, and the
//     rest is success.
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

// callerLeft is true when the caller closed the connection and that is why the
// answer is missing, failed or could not be written. An answer that was complete
// before the caller left stays what it was.
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

// misused reports an error of writing that the handler caused.
func misused(err error) bool {
	return errors.Is(err, http.ErrContentLength) || errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, http.ErrHijacked)
}
