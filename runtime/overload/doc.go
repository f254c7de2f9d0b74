// Package overload keeps a server responsive under overload by rejecting requests early.
//
// A [Limiter] limits the number of requests in flight. It learns the limit from their
// latency, queues short bursts, rejects requests that would miss their deadline, and rejects the
// least important ones first:
//
//	critical ▶ default ▶ sheddable     (see [Priority])
//
// [Limiter.Wrap] is HTTP middleware, and [Limiter.Acquire] is for other work. [SetMemoryLimit]
// sets Go's memory limit from the container's. The limiter rejects requests when memory is short.
//
// Package runtime adds a limiter to every service. Other servers wrap their handler:
//
//	handler = limiter.Wrap(handler, nil)
package overload
