package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/observability-first/scaffold/runtime/fault"
)

func ExampleNotFound() {
	err := fmt.Errorf("ship: %w", fault.NotFound("order %s does not exist", "o-7"))
	f := fault.Of(err)
	fmt.Println(f.Code.Status(), f.Message)
	// Output: 404 order o-7 does not exist
}

func TestOf(t *testing.T) {
	t.Parallel()
	database := errors.New("connection refused to 10.0.0.7")
	for name, tc := range map[string]struct {
		err         error
		wantStatus  int
		wantMessage string
	}{
		"an unknown error shows nothing of itself":  {database, 500, "something went wrong on our side"},
		"a wrapped fault keeps its message":         {fmt.Errorf("x: %w", fault.Conflict("taken")), 409, "taken"},
		"a cause is not in the message":             {fault.Unavailable("no database").Because(database), 503, "no database"},
		"a caller that went away is 499":            {fmt.Errorf("query: %w", context.Canceled), 499, "the caller went away"},
		"our own deadline is 504":                   {context.DeadlineExceeded, 504, "the answer took too long"},
		"a fault is found behind a cancelled cause": {fault.NotFound("gone").Because(context.Canceled), 404, "gone"},
		"an unknown code is our mistake":            {fault.New("novel", "x"), 500, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := fault.Of(tc.err)
			if got.Code.Status() != tc.wantStatus || got.Message != tc.wantMessage {
				t.Errorf("got %d %q, want %d %q", got.Code.Status(), got.Message, tc.wantStatus, tc.wantMessage)
			}
		})
	}
	if fault.Of(nil) != nil {
		t.Error("no error must stay no fault")
	}
	if err := fault.Unavailable("away").Because(database); !errors.Is(err, database) {
		t.Error("the cause is lost from the chain")
	}
}

// What a router or framework answers is told by the same code as our own.
func TestEveryCodeIsFoundByItsStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []fault.Code{
		fault.CodeInvalid, fault.CodeMalformed, fault.CodeUnauthenticated, fault.CodeForbidden, fault.CodeNotFound,
		fault.CodeTimeout, fault.CodeConflict, fault.CodePreconditionFailed, fault.CodeTooLarge, fault.CodeNotAllowed, fault.CodeUnsupported,
		fault.CodePreconditionNeeded, fault.CodeExhausted, fault.CodeCanceled, fault.CodeInternal,
		fault.CodeUnavailable, fault.CodeDeadlineExceeded,
	} {
		if got := fault.CodeOf(code.Status()); got != code {
			t.Errorf("%s is answered %d, which is found as %s", code, code.Status(), got)
		}
	}
	for status, want := range map[int]fault.Code{405: fault.CodeNotAllowed, 406: fault.CodeUnsupported, 418: fault.CodeMalformed, 502: fault.CodeInternal} {
		if got := fault.CodeOf(status); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}
