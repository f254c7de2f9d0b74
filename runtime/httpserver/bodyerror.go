package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/observability-first/scaffold/runtime/fault"
)

// bodyError turns an error of reading a request body into the fault that it is.
// net/http has no type for a broken chunk or a bad trailer, so every error that is
// not known to be ours is the client's.
func bodyError(err error) error {
	if err == nil || err == io.EOF || ours(err) { //nolint:errorlint // an error that wraps io.EOF is not the end of the body
		return err
	}
	if f := fault.Of(err); f.Code != fault.CodeInternal { // over the limit, or a fault already
		return f
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.New(fault.CodeTimeout, "the request body did not arrive in time").Because(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.CodeMalformed, "the request body ended early; send as many bytes as Content-Length or the chunks announce").Because(err)
	}
	return fault.New(fault.CodeMalformed, "the request body cannot be read; check its chunked encoding").Because(err)
}

// ours reports a read after the handler closed the body, after the server closed
// the connection, or after the request's context ended.
func ours(err error) bool {
	return errors.Is(err, http.ErrBodyReadAfterClose) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
