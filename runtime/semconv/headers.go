package semconv

// Headers that tell the next service how long its caller waits and how much the
// answer matters, in the canonical form of net/http.
const (
	// HeaderTimeout is the time in whole milliseconds that the caller waits.
	// Envoy, and whatever is built on it, sends it to every service, so that the
	// deadline is known also where a caller knows nothing of this library. We
	// send this one.
	HeaderTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"
	// HeaderGRPCTimeout is gRPC's: up to eight digits and a unit, as in 250m.
	HeaderGRPCTimeout = "Grpc-Timeout"
	// HeaderConnectTimeout is Connect's: up to ten digits, milliseconds.
	HeaderConnectTimeout = "Connect-Timeout-Ms"
	// HeaderPriority is critical, default or sheddable.
	HeaderPriority = "X-Request-Priority"
)
