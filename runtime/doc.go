// Package runtime runs a service: it starts the components of the service in order, serves and
// observes requests, and shuts down without losing a request.
//
//	func main() { os.Exit(runtime.Main(runtime.Info{Name: "orders", Version: version}, defaults, run)) }
//
//	func run(ctx context.Context, svc *runtime.Service) error {
//		svc.Handle(api.Routes())
//		return svc.Run(ctx)
//	}
//
// The lifecycle of a service:
//
//	declare ──▶ start hooks ──▶ ready ──▶ draining ──▶ stopped
//	(run)        in order        serving    one budget
//
// The run function declares handlers, hooks and metrics. Nothing connects, binds or starts before
// [Service.Run]. So the binary can describe the service without running it: `orders telemetry`
// prints its metrics, `orders config` its environment variables, and `orders openapi` its API.
//
// A shutdown has one time budget for all phases (see [Service.Run]); a second signal skips waits.
// It includes the flush of telemetry. The admin listener closes last, so that probes and scrapes
// work throughout.
//
// The packages telemetry, httpserver, httpclient, health, config and postgres can be used without
// this package. It imports them, and none of them imports it.
//
// Files that need Go's own package runtime import it as goruntime.
package runtime

// GeneratedFor1 is referenced by code generated for major version 1 of this library, so that a
// mismatch is a compile error.
const GeneratedFor1 = true
