package httpserver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"testing"

	"github.com/observability-first/scaffold/runtime/semconv"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for name, tc := range map[string]struct {
		facts facts
		want  ending
	}{
		"a response is a success":                                         {facts{status: 200}, ending{200, semconv.OutcomeSuccess, ""}},
		"a redirect is a success":                                         {facts{status: 301}, ending{301, semconv.OutcomeSuccess, ""}},
		"no response is net/http's 200":                                   {facts{}, ending{200, semconv.OutcomeSuccess, ""}},
		"a 4xx is a client error":                                         {facts{status: 404}, ending{404, semconv.OutcomeClientError, ""}},
		"a 5xx is a server error":                                         {facts{status: 503}, ending{503, semconv.OutcomeServerError, "503"}},
		"a panic after a 200 is a server error":                           {facts{status: 200, panicked: true}, ending{500, semconv.OutcomeServerError, "panic"}},
		"a rejected request is shed":                                      {facts{status: 503, shed: true}, ending{503, semconv.OutcomeShed, "shed"}},
		"a truncated response is a server error":                          {facts{status: 200, truncated: true}, ending{200, semconv.OutcomeServerError, "truncated"}},
		"the deadline without a response is a 504":                        {facts{cause: context.DeadlineExceeded}, ending{504, semconv.OutcomeServerError, "timeout"}},
		"a response before the deadline is a success":                     {facts{status: 200, cause: context.DeadlineExceeded}, ending{200, semconv.OutcomeSuccess, ""}},
		"a disconnected client is a 499":                                  {facts{cause: context.Canceled}, ending{499, semconv.OutcomeClientError, ""}},
		"a 500 after the client disconnected is a 499":                    {facts{status: 500, cause: context.Canceled}, ending{499, semconv.OutcomeClientError, ""}},
		"a failed write after the client disconnected is a 499":           {facts{status: 200, cause: context.Canceled, writeErr: broken}, ending{499, semconv.OutcomeClientError, ""}},
		"a truncated response after the client disconnected is a 499":     {facts{status: 200, cause: context.Canceled, truncated: true}, ending{499, semconv.OutcomeClientError, ""}},
		"a complete response before the client disconnected is a success": {facts{status: 200, cause: context.Canceled}, ending{200, semconv.OutcomeSuccess, ""}},
		"a connection closed by the server is a server error":             {facts{status: 500, cause: context.Canceled, stopping: true}, ending{500, semconv.OutcomeServerError, "500"}},
		"a transfer cut during shutdown is a 499":                         {facts{status: 400, bodyErr: bodyError(broken), cut: true}, ending{499, semconv.OutcomeClientError, ""}},
		"a 5xx after a broken body is a 400":                              {facts{status: 500, bodyErr: bodyError(broken)}, ending{400, semconv.OutcomeClientError, ""}},
		"a 5xx after a late body is a 408":                                {facts{status: 500, bodyErr: bodyError(os.ErrDeadlineExceeded)}, ending{408, semconv.OutcomeClientError, ""}},
		"a 200 after a broken body is a success":                          {facts{status: 200, bodyErr: bodyError(broken)}, ending{200, semconv.OutcomeSuccess, ""}},
		"a response that is not read in time is a 499":                    {facts{status: 200, cause: context.DeadlineExceeded, writeErr: os.ErrDeadlineExceeded}, ending{499, semconv.OutcomeClientError, ""}},
		"a failed write after the deadline is a 499":                      {facts{status: 200, cause: context.DeadlineExceeded, writeErr: broken}, ending{499, semconv.OutcomeClientError, ""}},
		"a write beyond Content-Length is a server error":                 {facts{status: 500, writeErr: http.ErrContentLength}, ending{500, semconv.OutcomeServerError, "500"}},
		"a 504 for an impatient client is a client error":                 {facts{status: 504, impatient: true}, ending{504, semconv.OutcomeClientError, ""}},
		"a rejection of an impatient client is a client error":            {facts{status: 503, shed: true, impatient: true}, ending{503, semconv.OutcomeClientError, ""}},
		"no response at an impatient client's deadline is a client error": {facts{cause: context.DeadlineExceeded, impatient: true}, ending{504, semconv.OutcomeClientError, ""}},
		"deadline_exceeded for an impatient client is a client error":     {facts{status: 200, rpcCode: "deadline_exceeded", impatient: true}, ending{200, semconv.OutcomeClientError, ""}},
		"a 500 for an impatient client is a server error":                 {facts{status: 500, impatient: true}, ending{500, semconv.OutcomeServerError, "500"}},
		"a response too late to be written is a 504":                      {facts{status: 200, late: true, writeErr: os.ErrDeadlineExceeded}, ending{504, semconv.OutcomeServerError, "timeout"}},
		"a panic after the client disconnected is a server error":         {facts{panicked: true, cause: context.Canceled}, ending{500, semconv.OutcomeServerError, "panic"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.facts.outcome(); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
