package overload

import (
	"log/slog"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Reason is why a request was rejected. It is an error.
type Reason uint8

// Reasons to reject a request.
const (
	admitted        Reason = iota
	ReasonLimit            // the request waited for its maximum time in the queue
	ReasonQueueFull        // the queue is full
	ReasonDeadline         // the response would miss the client's deadline
	ReasonMemory           // the process is short of memory
	ReasonBodies           // too many large bodies are being received
)

const reasons = int(ReasonBodies)

func (r Reason) index() int { return int(r) - 1 }

// Label returns the value of the label reason.
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

// Error implements error. The text is for the client.
func (r Reason) Error() string {
	switch r {
	case ReasonDeadline:
		return "the response would miss the client's deadline"
	case ReasonMemory:
		return "the service is short of memory"
	case ReasonBodies:
		return "the service is receiving too many large request bodies"
	case ReasonLimit, ReasonQueueFull, admitted:
	}
	return "the service is overloaded"
}

// rejection is a reason with its attributes for the access line.
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
