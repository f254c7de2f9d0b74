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
		"an answer is a success":                         {facts{status: 200}, ending{200, semconv.OutcomeSuccess, ""}},
		"a redirect is a success":                        {facts{status: 301}, ending{301, semconv.OutcomeSuccess, ""}},
		"silence is net/http's 200":                      {facts{}, ending{200, semconv.OutcomeSuccess, ""}},
		"a 4xx is the caller's":                          {facts{status: 404}, ending{404, semconv.OutcomeClientError, ""}},
		"a 5xx is ours":                                  {facts{status: 503}, ending{503, semconv.OutcomeServerError, "503"}},
		"a panic is ours whatever went out":              {facts{status: 200, panicked: true}, ending{500, semconv.OutcomeServerError, "panic"}},
		"a refused request is shed":                      {facts{status: 503, shed: true}, ending{503, semconv.OutcomeShed, "shed"}},
		"fewer bytes than announced are ours":            {facts{status: 200, truncated: true}, ending{200, semconv.OutcomeServerError, "truncated"}},
		"our deadline before an answer is a 504":         {facts{cause: context.DeadlineExceeded}, ending{504, semconv.OutcomeServerError, "timeout"}},
		"an answer in time stays good":                   {facts{status: 200, cause: context.DeadlineExceeded}, ending{200, semconv.OutcomeSuccess, ""}},
		"a caller that left is recorded as 499":          {facts{cause: context.Canceled}, ending{499, semconv.OutcomeClientError, ""}},
		"an error because the caller left is not ours":   {facts{status: 500, cause: context.Canceled}, ending{499, semconv.OutcomeClientError, ""}},
		"a write that failed for it is not ours":         {facts{status: 200, cause: context.Canceled, writeErr: broken}, ending{499, semconv.OutcomeClientError, ""}},
		"half an answer because the caller left":         {facts{status: 200, cause: context.Canceled, truncated: true}, ending{499, semconv.OutcomeClientError, ""}},
		"a complete answer stays what it was":            {facts{status: 200, cause: context.Canceled}, ending{200, semconv.OutcomeSuccess, ""}},
		"a connection that we cut is ours":               {facts{status: 500, cause: context.Canceled, stopping: true}, ending{500, semconv.OutcomeServerError, "500"}},
		"a transfer that a stop cut is a 499":            {facts{status: 400, bodyErr: bodyError(broken), cut: true}, ending{499, semconv.OutcomeClientError, ""}},
		"a 5xx because the body broke off is a 400":      {facts{status: 500, bodyErr: bodyError(broken)}, ending{400, semconv.OutcomeClientError, ""}},
		"a 5xx because the body was late is a 408":       {facts{status: 500, bodyErr: bodyError(os.ErrDeadlineExceeded)}, ending{408, semconv.OutcomeClientError, ""}},
		"a handler may make good of a broken body":       {facts{status: 200, bodyErr: bodyError(broken)}, ending{200, semconv.OutcomeSuccess, ""}},
		"an answer that is not read in time is a 499":    {facts{status: 200, cause: context.DeadlineExceeded, writeErr: os.ErrDeadlineExceeded}, ending{499, semconv.OutcomeClientError, ""}},
		"a write that failed for a late client is not":   {facts{status: 200, cause: context.DeadlineExceeded, writeErr: broken}, ending{499, semconv.OutcomeClientError, ""}},
		"a write beyond Content-Length is the handler's": {facts{status: 500, writeErr: http.ErrContentLength}, ending{500, semconv.OutcomeServerError, "500"}},
		"a 504 for an impatient client is its own":       {facts{status: 504, impatient: true}, ending{504, semconv.OutcomeClientError, ""}},
		"a rejection of an impatient client is its own":  {facts{status: 503, shed: true, impatient: true}, ending{503, semconv.OutcomeClientError, ""}},
		"silence at an impatient client's deadline":      {facts{cause: context.DeadlineExceeded, impatient: true}, ending{504, semconv.OutcomeClientError, ""}},
		"a procedure's deadline of an impatient client":  {facts{status: 200, rpcCode: "deadline_exceeded", impatient: true}, ending{200, semconv.OutcomeClientError, ""}},
		"another failure for an impatient client is not": {facts{status: 500, impatient: true}, ending{500, semconv.OutcomeServerError, "500"}},
		"an answer that came too late to be written":     {facts{status: 200, late: true, writeErr: os.ErrDeadlineExceeded}, ending{504, semconv.OutcomeServerError, "timeout"}},
		"a panic counts although the caller left before": {facts{panicked: true, cause: context.Canceled}, ending{500, semconv.OutcomeServerError, "panic"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.facts.outcome(); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
