// Package verify runs a service and checks what was generated for it: every panel has data, every alert fires
// and resolves when it should, and every link has an existing target.
//
// [Run] builds the real binary, starts it on free ports of this machine, with the servers that it connects to,
// sends requests to every route, and scrapes it like Prometheus. The requests are generated from the service's OpenAPI document
// and from verify.http. The result is a [report.Report].
//
// # Stretched time
//
// Rules look back over hours. To avoid waiting for hours, the watch scrapes the service many times per second
// and stores each scrape one scrape interval after the one before: one second of the run is about ten minutes
// in the store. Counters, histograms and exemplars are those of the service; only the clock differs. Rates
// are therefore smaller than the real request rate. Ratios, quantiles and names, which dashboards and alerts
// use, are correct.
//
// # Fault injection
//
// The binary is built with a tag that compiles fault injection into the runtime's server. A build without the
// tag does not have this code.
package verify
