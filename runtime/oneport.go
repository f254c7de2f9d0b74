package runtime

import (
	"net/http"
)

// serveProbesOnRequestPort serves the probes on the request port, for platforms that reach only
// that port. It serves nothing else, because that port is public.
func (r *running) serveProbesOnRequestPort() {
	if !r.settings.Telemetry.PushesMetrics() {
		r.Logger().Warn("metrics are not available: ADMIN_ADDR is off and metrics are not pushed",
			"hint", "set OTEL_METRICS_EXPORTER=otlp and OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	if r.server == nil {
		return
	}
	for path, probe := range map[string]http.Handler{
		"/livez": r.health.Livez(), "/readyz": r.health.Readyz(), "/startupz": r.health.Startupz(),
	} {
		r.server.HandleUnobserved(path, statusOnly(probe))
	}
}

// statusOnly responds with the status of the probe only. The failed checks are not for clients of
// the service.
func statusOnly(probe http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response := memoryWriter{header: http.Header{}, status: http.StatusOK}
		probe.ServeHTTP(&response, r)
		w.Header().Set("Cache-Control", "no-store")
		if allow := response.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		w.WriteHeader(response.status)
	})
}
