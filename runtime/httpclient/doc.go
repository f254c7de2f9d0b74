// Package httpclient calls other services over HTTP so that each call is seen,
// bounded in time, and retried only where that is safe and affordable.
//
// [New] returns an ordinary *http.Client. Every attempt is a client span that
// carries the trace on, and one observation of
// http_client_request_duration_seconds, which ends with the response body: read
// it to the end and close it.
//
// A call is retried after a failed connection and after 429, 502, 503 and 504,
// if doing it twice is the same as once: GET, HEAD, OPTIONS, PUT, DELETE, or any
// method with an Idempotency-Key header; and if its body can be sent again
// ([http.Request.GetBody], which http.NewRequest sets for buffers and strings).
// A budget per host keeps retries below a tenth of the calls, so that they
// cannot finish off a service that is already down. Retry-After is honoured;
// a wait that the context's deadline does not leave time for is not begun.
//
// The time that is left of the context's deadline or of the client's timeout goes
// out with every attempt, as does the priority of the request that is being
// answered (package overload), so that nobody works for a caller who is gone.
//
// While half of the calls to a host fail, it is left alone: calls end with
// [ErrBreakerOpen] at once. A host that refuses load with Retry-After has not
// failed. With [Config] HedgeAfter, a call that may be repeated and is slow is
// sent a second time; the first answer counts.
//
// The label error_type is one of dns, connect_refused, connect_timeout,
// connect, tls, timeout, reset, canceled, _OTHER, or the status when it is 400
// or more, so that "it is away" and "it said no" are different series.
package httpclient
