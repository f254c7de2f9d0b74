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
		"the message of an unknown error has no details": {database, 500, "internal error"},
		"a wrapped error keeps its message":              {fmt.Errorf("x: %w", apierror.Conflict("taken")), 409, "taken"},
		"a cause is not in the message":                  {apierror.Unavailable("no database").WithCause(database), 503, "no database"},
		"a canceled context is 499":                      {fmt.Errorf("query: %w", context.Canceled), 499, "the client closed the request"},
		"an exceeded deadline is 504":                    {context.DeadlineExceeded, 504, "the response took too long"},
		"an error with a canceled cause keeps its code":  {apierror.NotFound("no order").WithCause(context.Canceled), 404, "no order"},
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

func TestJoinListsTheFieldsOfEveryInvalidRequest(t *testing.T) {
	t.Parallel()
	limit := apierror.Invalid("the query is not valid", apierror.Field{Location: "query.limit", Message: "must be an integer from 1 to 100"})
	cursor := apierror.Invalid("the cursor is not valid", apierror.Field{Location: "query.cursor", Message: "must be a UUID"})
	missing := apierror.NotFound("order 7 does not exist")
	for name, tc := range map[string]struct {
		errs   []error
		want   string
		fields int
	}{
		"no error":                          {[]error{nil, nil}, "", 0},
		"one error":                         {[]error{nil, limit}, "the query is not valid", 1},
		"two invalid requests":              {[]error{limit, nil, fmt.Errorf("list: %w", cursor)}, "the query is not valid", 2},
		"an error of another kind is first": {[]error{limit, missing, cursor}, "order 7 does not exist", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := apierror.Join(tc.errs...)
			if tc.want == "" {
				if err != nil {
					t.Errorf("got %v, want nil", err)
				}
				return
			}
			if got := apierror.From(err); got == nil || got.Message != tc.want || len(got.Fields) != tc.fields {
				t.Errorf("got %+v, want %q with %d fields", got, tc.want, tc.fields)
			}
		})
	}
	if len(limit.Fields) != 1 {
		t.Errorf("Join changed its argument: %+v", limit)
	}
}
