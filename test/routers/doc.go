// Package routers holds the test that runs the real routers of gin, gorilla/mux and
// echo on the runtime, with the line that runtime/README.md gives their users.
//
// It is a module of its own so that users of the runtime do not download them.
//
// `make routers` runs it.
package routers
