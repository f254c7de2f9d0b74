package runtime

import (
	"net/http"
)

// probeBesideRequests answers the probes on the port of the requests, for
// platforms that reach no other. Nothing else of the admin listener is there:
// that port is open to everybody.
func (r *running) serveProbesOnRequestPort() {
	if !r.settings.Telemetry.PushesMetrics() {
		r.Logger().Warn("nobody can read the metrics: ADMIN_ADDR is off and they are not pushed",
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

// statusOnly answers as the probe does, without saying which check failed and
// why: that is for those who run the service, not for those who call it.
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
