package semconv

// ContextKey is the key of a context value that packages of the runtime share without importing
// each other.
type ContextKey string

// ContextPriority is the key of the request's priority: PriorityCritical or PrioritySheddable.
// There is no value for the default priority.
const ContextPriority ContextKey = "priority"
