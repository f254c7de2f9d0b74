package overload

import (
	"log/slog"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Reason is why a request was refused. It is an error.
type Reason uint8

// The reasons.
const (
	admitted        Reason = iota
	ReasonLimit            // it waited for its turn as long as it may
	ReasonQueueFull        // so many wait that it was not worth waiting
	ReasonDeadline         // its caller would have given up before the answer
	ReasonMemory           // the process is short of memory
	ReasonBodies           // too many large bodies are being received
)

const reasons = int(ReasonBodies)

// index is the place in a table of all reasons.
func (r Reason) index() int { return int(r) - 1 }

// Label is the reason as a label has it.
func (r Reason) Label() string {
	switch r {
	case ReasonQueueFull:
		return semconv.ShedQueueFull
	case ReasonDeadline:
		return semconv.ShedDeadline
	case ReasonMemory:
		return semconv.ShedMemory
	case ReasonBodies:
		return semconv.ShedBodies
	case ReasonLimit, admitted:
	}
	return semconv.ShedLimit
}

// Error says it to the caller.
func (r Reason) Error() string {
	switch r {
	case ReasonDeadline:
		return "the answer would come after the caller's deadline"
	case ReasonMemory:
		return "the service is short of memory"
	case ReasonBodies:
		return "the service receives as many large request bodies as it can"
	case ReasonLimit, ReasonQueueFull, admitted:
	}
	return "the service has more to do than it can"
}

// rejection is a reason with what the access line says of it.
type rejection struct {
	Reason
	attributes slog.Value
}

func newRejection(p Priority, r Reason) rejection {
	return rejection{r, slog.GroupValue(slog.String(semconv.LabelReason, r.Label()), slog.String(semconv.LabelPriority, p.String()))}
}

// Unwrap returns the reason.
func (r rejection) Unwrap() error { return r.Reason }

// LogValue implements [slog.LogValuer].
func (r rejection) LogValue() slog.Value { return r.attributes }
