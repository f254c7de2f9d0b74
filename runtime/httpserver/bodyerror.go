package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// bodyError converts an error of reading a request body to an API error. net/http has no type for
// a broken chunk or a bad trailer, so every error that is not known to be the server's counts as
// the client's.
func bodyError(err error) error {
	if err == nil || err == io.EOF || isServers(err) { //nolint:errorlint // an error that wraps io.EOF is not the end of the body
		return err
	}
	if e := apierror.From(err); e.Code != apierror.CodeInternal { // over the limit, or already an API error
		return e
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return apierror.New(apierror.CodeTimeout, "the request body did not arrive in time").WithCause(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return apierror.New(apierror.CodeMalformed, "the request body is shorter than Content-Length or its chunks declare").WithCause(err)
	}
	return apierror.New(apierror.CodeMalformed, "the request body is malformed; check its chunked encoding").WithCause(err)
}

// isServers reports a read after the handler closed the body, after the server closed the connection,
// or after the context ended.
func isServers(err error) bool {
	return errors.Is(err, http.ErrBodyReadAfterClose) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
