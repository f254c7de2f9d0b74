// Package routers tests the routers of gin, gorilla/mux and echo on the runtime, with
// the SetRoute middleware of runtime/README.md.
//
// It is a separate module so that users of the runtime do not download the routers.
//
// `make routers` runs it.
package routers
