// Package runtime runs one service: it starts what the service is made of in
// order, keeps it observed and probed while it works, and stops it without
// losing a request.
//
//	func main() { os.Exit(runtime.Main(runtime.Info{Name: "orders", Version: version}, defaults, run)) }
//
//	func run(ctx context.Context, svc *runtime.Service) error {
//		svc.Handle(api.Routes())
//		return svc.Run(ctx)
//	}
//
// The life of a service:
//
//	declare ──▶ start hooks ──▶ ready ──▶ draining ──▶ stopped
//	(run)        in order        serving    one budget
//
// While run wires the service, constructors validate and declare; nothing
// connects, binds or starts before [Service.Run]. That is why the same wiring
// also answers questions about the service without running it: `orders
// telemetry` prints its declared signals, `orders config` its variables,
// `orders openapi` its API.
//
// Stopping is one budget with phases (see [Service.Run]); a second signal skips
// ahead. Telemetry is flushed within it, and the admin listener goes last, so
// that probes and scrapes see the whole stop.
//
// The leaves can be used without this package: telemetry, httpserver,
// httpclient, health, config and postgres each take what they need as
// arguments. This package composes them and no leaf imports it.
//
// The package is named runtime because it is the runtime of a service. Where a
// file needs Go's own, it imports that one as goruntime.
package runtime

// GeneratedFor1 is named by code that was generated for major version 1 of this
// library, so that a mismatch fails to compile instead of failing at night.
const GeneratedFor1 = true
