// Package drain proves on real processes that a stop loses nothing.
//
// Three processes of one service stand behind a balancer of the test's own while
// clients with kept connections go on asking. Each process is restarted five
// times, a WebSocket and an event stream on each say goodbye and go on
// elsewhere, and no request fails. A process that is killed instead loses what
// was in flight there and nothing else.
//
// It is a module of its own because the library for WebSockets is no business of
// those who import the runtime.
package drain
