// Package httpclient provides an HTTP client with tracing, metrics, timeouts, safe retries and a
// circuit breaker.
//
// [NewUpstream] declares a service that this one calls: its base URL, environment variables and
// health check. Each upstream has its own timeouts, retry budget and circuit breaker, and requests
// only go to its server.
//
// [New] returns an *http.Client for other servers. Every attempt is a client span that propagates the trace, and an
// observation of http_client_request_duration_seconds. Both end with the response body: read it
// to the end and close it.
//
// A call is retried after a failed connection and after 429, 502, 503 and 504 if it is idempotent
// (GET, HEAD, OPTIONS, PUT, DELETE, or any method with an Idempotency-Key header) and its body
// can be sent again ([http.Request.GetBody], which http.NewRequest sets for buffers and strings).
// A budget per host limits retries to a tenth of the calls, so that they do not overload a
// failing service. Retry-After is respected. There is no wait that exceeds the context's
// deadline.
//
// Each attempt sends the remaining time until the context's deadline or the client's timeout, and
// the priority of the current request (package overload), so that the other service does not work
// for a client that has given up.
//
// If half of the calls to a host fail, its circuit breaker opens and calls return
// [ErrBreakerOpen] immediately. A response with Retry-After that sheds load is no failure. With
// [Config] HedgeAfter, a slow idempotent call is sent a second time, and the first response is
// used.
//
// The label error_type is dns, connect_refused, connect_timeout, connect, tls, timeout, reset,
// canceled, _OTHER, or the status if it is 400 or more.
package httpclient
