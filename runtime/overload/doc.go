// Package overload keeps a server fast for those whom it can serve, by refusing
// the others early.
//
// A [Limiter] decides how many requests are worked on at a time. It learns the
// number from how long they take (see rule.go), lets short bursts wait in a
// bounded queue, begins nothing whose caller will have given up, and refuses
// the least important first:
//
//	critical ▶ default ▶ sheddable     (see [Priority])
//
// [Limiter.Wrap] is the middleware, [Limiter.Acquire] the same for work that
// does not arrive by HTTP, [Config] what the environment decides, and
// [SetMemoryLimit] makes Go's memory limit that of the container, which the
// limiter holds requests against.
//
// The root package wires this into every service. Whoever has a server of their
// own wraps their handler:
//
//	handler = limiter.Wrap(handler, nil)
package overload
