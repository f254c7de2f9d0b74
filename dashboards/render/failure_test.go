package render

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestFailureIsThatOfTheFirstFailedQuery(t *testing.T) {
	t.Parallel()
	source := func(_ context.Context, q Query) (Result, error) { return Result{}, fmt.Errorf("%s is away", q) }
	panels := panelJSON("stat", `"targets":[{"refId":"A","expr":"z"},{"refId":"B","expr":"a"}]`)
	p, _ := drawOne(t, panels, source)
	if p.Failure == nil || p.Failure.Error() != "z is away" {
		t.Errorf("got %v", p.Failure)
	}
	if p, _ := drawOne(t, panels, always(Result{})); p.Failure != nil {
		t.Errorf("all queries succeed, got %v", p.Failure)
	}
}

// A panel of a store that is not configured is expected; that the other store is away is what to correct.
func TestFailureIsNotThatOfAStoreThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	source := func(_ context.Context, q Query) (Result, error) {
		if q.Expr == "logs" {
			return Result{}, fmt.Errorf("Loki is %w", ErrNoStore)
		}
		return Result{}, fmt.Errorf("%s is away", q)
	}
	p, _ := drawOne(t, panelJSON("stat", `"targets":[{"refId":"A","expr":"logs"},{"refId":"B","expr":"z"},{"refId":"C","expr":"a"}]`), source)
	if p.Failure == nil || p.Failure.Error() != "z is away" {
		t.Errorf("got %v", p.Failure)
	}
}

func TestAlertListReportsItsError(t *testing.T) {
	t.Parallel()
	away := errors.New("http://localhost:9090 does not respond")
	p, _ := drawOne(t, `{"type":"alertlist","title":"Alerts","gridPos":{"w":24,"h":6}}`, func(context.Context, Query) (Result, error) { return Result{}, away })
	if want := []string{"panel Alerts: http://localhost:9090 does not respond"}; !slices.Equal(p.Problems, want) || !errors.Is(p.Failure, away) {
		t.Errorf("got %q, %v", p.Problems, p.Failure)
	}
}

func TestTimeoutDoesNotNameAFlag(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, _ Query) (Result, error) { <-ctx.Done(); return Result{}, ctx.Err() }
	p, _ := drawOne(t, panelJSON("stat", ""), slow, func(o *Options) { o.Timeout = time.Millisecond })
	if want := []string{"panel Requests: queries did not finish within 1ms; use a shorter time range or a longer timeout"}; !slices.Equal(p.Problems, want) {
		t.Errorf("got %q", p.Problems)
	}
	if !errors.Is(p.Failure, context.DeadlineExceeded) {
		t.Errorf("got %v", p.Failure)
	}
}
