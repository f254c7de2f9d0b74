package semconv

// Headers with the timeout and the priority of a request, in the canonical form of net/http.
const (
	// HeaderTimeout is the timeout of the client in whole milliseconds. Envoy sends it to every
	// service, so that the deadline is known even if a client does not use this library. Package
	// httpclient sends it.
	HeaderTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"
	// HeaderGRPCTimeout is that of gRPC: up to eight digits and a unit, such as 250m.
	HeaderGRPCTimeout = "Grpc-Timeout"
	// HeaderConnectTimeout is that of Connect: up to ten digits, milliseconds.
	HeaderConnectTimeout = "Connect-Timeout-Ms"
	// HeaderPriority is critical, default or sheddable.
	HeaderPriority = "X-Request-Priority"
)
