package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/observability-first/scaffold/runtime/apierror"
)

func TestBodyErrorsOfTheClientAreNotInternal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"a body that ends early":            {io.ErrUnexpectedEOF, http.StatusBadRequest},
		"a broken chunk":                    {errors.New("invalid byte in chunk length"), http.StatusBadRequest},
		"a connection reset":                {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, http.StatusBadRequest},
		"a body over the limit":             {fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), http.StatusRequestEntityTooLarge},
		"a body that does not arrive":       {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, http.StatusRequestTimeout},
		"an API error is unchanged":         {apierror.Unavailable("no room"), http.StatusServiceUnavailable},
		"a read after Close":                {http.ErrBodyReadAfterClose, http.StatusInternalServerError},
		"a connection closed by the server": {&net.OpError{Op: "read", Err: net.ErrClosed}, http.StatusInternalServerError},
		"the deadline of the request":       {context.DeadlineExceeded, http.StatusGatewayTimeout},
		"a request that was canceled":       {context.Canceled, 499},
		"an error that wraps io.EOF":        {fmt.Errorf("read: %w", io.EOF), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := bodyError(tc.err)
			if status := apierror.From(got).Code.Status(); status != tc.want {
				t.Errorf("got %v with status %d, want %d", got, status, tc.want)
			}
			if !errors.Is(got, tc.err) && !errors.Is(got, errors.Unwrap(tc.err)) {
				t.Errorf("%v does not wrap %v", got, tc.err)
			}
		})
	}
	if err := bodyError(io.EOF); err != io.EOF { //nolint:errorlint // readers compare it
		t.Errorf("io.EOF became %v", err)
	}
	if err := bodyError(nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}
