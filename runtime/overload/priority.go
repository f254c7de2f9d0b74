package overload

import (
	"context"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Priority says who is refused first. Of two requests that wait, the more
// important one is begun first, always; within a priority, the older one.
type Priority int8

// The priorities, least important first.
const (
	Sheddable Priority = iota - 1 // nobody waits for it: prefetch, batch, retry of the same
	Default                       // somebody waits for it
	Critical                      // others cannot work without it: checkout, sign-in
)

const priorities = 3

// index is the place in a table of all priorities. What is no priority is the
// default, as in a header: a table that ends in a panic would leave the limiter
// locked.
func (p Priority) index() int {
	if p < Sheddable || p > Critical {
		p = Default
	}
	return int(p) + 1
}

// String gives the text that stands in headers and labels.
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

// ParsePriority reads a header. Whatever is no priority is the default. A caller
// that is not trusted can lower its priority and not raise it: one that everybody
// may raise means nothing.
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

// PriorityOf is the priority of the request that the context belongs to.
func PriorityOf(ctx context.Context) Priority {
	text, _ := ctx.Value(semconv.ContextPriority).(string)
	return ParsePriority(text, true)
}

// WithPriority returns a context whose outgoing calls carry the priority.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, semconv.ContextPriority, p.String())
}
