// Package servicetest runs a service inside a test, on free ports, and reads
// back what it tells the world: answers, spans, log lines and metrics.
//
//	svc := servicetest.Start(t, runtime.Info{Name: "orders"}, defaults(), run)
//	res, err := http.Get(svc.URL + "/v1/orders")
//	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /v1/orders" })
//
// Everything goes the way it goes in production: requests through the listener,
// spans through the OTLP exporter into a receiver of the test, metrics through a
// scrape. Nothing waits for a fixed time, and everything ends with the test.
package servicetest
