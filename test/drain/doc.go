// Package drain tests on real processes that restarts of a service fail no request.
//
// Three processes of a service run behind a load balancer that the test implements.
// Each is restarted five times under load on keep-alive connections: no request may
// fail, and a WebSocket and an event stream on each process must be closed in an
// orderly way and reopen on another process. If a process is killed, only requests
// in flight to it may fail.
//
// It is a separate module so that users of the runtime do not download the
// WebSocket library.
package drain
