package overload

import (
	"context"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Priority is the importance of a request. Queued requests of a higher priority are always
// admitted first; within a priority, the oldest first.
type Priority int8

// Priorities, least important first.
const (
	Sheddable Priority = iota - 1 // nobody waits for the response: prefetch, batch, repeated retries
	Default                       // a user or service waits for the response
	Critical                      // others cannot work without it: checkout, sign-in
)

const priorities = 3

// index returns the index in a table of all priorities. An invalid priority is treated as the
// default: a panic would leave the limiter locked.
func (p Priority) index() int {
	if p < Sheddable || p > Critical {
		p = Default
	}
	return int(p) + 1
}

// String returns the value used in headers and labels.
func (p Priority) String() string {
	switch p {
	case Critical:
		return semconv.PriorityCritical
	case Sheddable:
		return semconv.PrioritySheddable
	case Default:
	}
	return semconv.PriorityDefault
}

// ParsePriority parses a header value. An invalid value means Default. A caller that is not
// trusted can lower its priority, but not raise it.
func ParsePriority(text string, trusted bool) Priority {
	switch text {
	case semconv.PriorityCritical:
		if trusted {
			return Critical
		}
	case semconv.PrioritySheddable:
		return Sheddable
	}
	return Default
}

// PriorityOf returns the priority of the request of ctx.
func PriorityOf(ctx context.Context) Priority {
	text, _ := ctx.Value(semconv.ContextPriority).(string)
	return ParsePriority(text, true)
}

// WithPriority returns a context whose outgoing calls have the priority.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, semconv.ContextPriority, p.String())
}
