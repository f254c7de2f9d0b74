package apierror_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/observability-first/scaffold/runtime/apierror"
)

func ExampleNotFound() {
	err := fmt.Errorf("ship: %w", apierror.NotFound("order %s does not exist", "o-7"))
	e := apierror.From(err)
	fmt.Println(e.Code.Status(), e.Message)
	// Output: 404 order o-7 does not exist
}

func TestFrom(t *testing.T) {
	t.Parallel()
	database := errors.New("connection refused to 10.0.0.7")
	for name, tc := range map[string]struct {
		err         error
		wantStatus  int
		wantMessage string
	}{
		"an unknown error reveals nothing":               {database, 500, "something went wrong on our side"},
		"a wrapped error keeps its message":              {fmt.Errorf("x: %w", apierror.Conflict("taken")), 409, "taken"},
		"a cause is not in the message":                  {apierror.Unavailable("no database").WithCause(database), 503, "no database"},
		"a cancelled context is 499":                     {fmt.Errorf("query: %w", context.Canceled), 499, "the client closed the request"},
		"an exceeded deadline is 504":                    {context.DeadlineExceeded, 504, "the response took too long"},
		"an error with a cancelled cause keeps its code": {apierror.NotFound("gone").WithCause(context.Canceled), 404, "gone"},
		"an unknown code is 500":                         {apierror.New("novel", "x"), 500, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := apierror.From(tc.err)
			if got.Code.Status() != tc.wantStatus || got.Message != tc.wantMessage {
				t.Errorf("got %d %q, want %d %q", got.Code.Status(), got.Message, tc.wantStatus, tc.wantMessage)
			}
		})
	}
	if apierror.From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
	if err := apierror.Unavailable("away").WithCause(database); !errors.Is(err, database) {
		t.Error("the cause is lost from the chain")
	}
}

// A status that a router or framework chose gets the same code as the service's own errors.
func TestEveryCodeIsFoundByItsStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []apierror.Code{
		apierror.CodeInvalid, apierror.CodeMalformed, apierror.CodeUnauthenticated, apierror.CodeForbidden, apierror.CodeNotFound,
		apierror.CodeTimeout, apierror.CodeConflict, apierror.CodePreconditionFailed, apierror.CodeTooLarge, apierror.CodeNotAllowed, apierror.CodeUnsupported,
		apierror.CodePreconditionNeeded, apierror.CodeExhausted, apierror.CodeCanceled, apierror.CodeInternal,
		apierror.CodeUnavailable, apierror.CodeDeadlineExceeded,
	} {
		if got := apierror.CodeFromStatus(code.Status()); got != code {
			t.Errorf("%s is answered %d, which is found as %s", code, code.Status(), got)
		}
	}
	for status, want := range map[int]apierror.Code{405: apierror.CodeNotAllowed, 406: apierror.CodeUnsupported, 418: apierror.CodeMalformed, 502: apierror.CodeInternal} {
		if got := apierror.CodeFromStatus(status); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}
