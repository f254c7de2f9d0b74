package semconv

// ContextKey names what one leaf of the runtime leaves in a context for another
// that does not import it.
type ContextKey string

// ContextPriority holds the priority of the request that is being answered, as
// one of the texts PriorityCritical and its siblings. It is not there for the
// default.
const ContextPriority ContextKey = "priority"
