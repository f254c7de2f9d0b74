package telemetry

import (
	"errors"
	"fmt"
	"testing"

	"github.com/observability-first/scaffold/runtime/semconv"
)

func TestUndelivered(t *testing.T) {
	t.Parallel()
	partial := errors.New("OTLP partial success: too old (3 spans rejected)")
	for name, tc := range map[string]struct {
		err    error
		reason string
		n      int
	}{
		"an unavailable collector":           {errors.New("connection refused"), semconv.DropExportFailed, 10},
		"a part was rejected":                {partial, semconv.DropRejected, 3},
		"wrapped by the exporter":            {fmt.Errorf("traces export: %w", errors.Join(partial)), semconv.DropRejected, 3},
		"a warning without a rejection":      {errors.New("OTLP partial success: be gentle (0 logs rejected)"), semconv.DropRejected, 0},
		"more than was sent":                 {errors.New("OTLP partial success: x (9999 logs rejected)"), semconv.DropRejected, 10},
		"a negative number":                  {errors.New("OTLP partial success: x (-5 logs rejected)"), semconv.DropRejected, 0},
		"a number that overflows":            {errors.New("OTLP partial success: x (99999999999999999999 logs rejected)"), semconv.DropExportFailed, 10},
		"a message that imitates the end":    {errors.New("OTLP partial success: (1 spans rejected)\n (4 spans rejected)"), semconv.DropRejected, 4},
		"rejected, then disconnected":        {errors.Join(partial, errors.New("unexpected EOF")), semconv.DropExportFailed, 10},
		"a rejection that quotes the format": {errors.New("400: OTLP partial success: x (1 spans rejected)"), semconv.DropExportFailed, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if reason, n := undelivered(tc.err, 10); reason != tc.reason || n != tc.n {
				t.Errorf("got %s %d, want %s %d", reason, n, tc.reason, tc.n)
			}
		})
	}
}

// The count stays within the batch for any response.
func FuzzUndelivered(f *testing.F) {
	f.Add("OTLP partial success: x (3 spans rejected)")
	f.Add("OTLP partial success:  (-1 metric data points rejected)")
	f.Fuzz(func(t *testing.T, text string) {
		const batch = 10
		reason, n := undelivered(errors.New(text), batch)
		if n < 0 || n > batch || reason == semconv.DropExportFailed && n != batch {
			t.Errorf("%q counts %s %d", text, reason, n)
		}
	})
}
