// Package servicetest runs a service in a test, on free ports, and returns its responses, spans,
// log lines and metrics.
//
//	svc := servicetest.Start(t, runtime.Info{Name: "orders"}, defaults(), run)
//	res, err := http.Get(svc.URL + "/v1/orders")
//	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /v1/orders" })
//
// As in production, requests go through the listener, spans through the OTLP exporter to a
// receiver of the test, and metrics through a scrape. No helper sleeps for a fixed time, and
// everything stops with the test.
package servicetest
