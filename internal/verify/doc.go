// Package verify runs a service and checks that what was generated for it is true:
// every panel has data, every alert fires and resolves when it should, every link
// leads somewhere, and nothing else happens.
//
// [Run] builds the real binary, starts it with its stores on free ports of this
// machine, drives every route with requests made up from the service's own OpenAPI
// document and from verify.http, and watches it the way Prometheus would. What it
// sees becomes a [report.Report].
//
// # Stretched time
//
// Rules look back over hours, and nobody waits for hours. The watch scrapes the
// service many times a second and writes each scrape down one scrape interval
// after the one before: a second of the run is some ten minutes in the store.
// Counters, histograms and exemplars are the service's own; only the clock is not.
// Rates are therefore smaller than what was driven, and ratios, quantiles and
// names, which is what dashboards and alerts are about, are what they are.
//
// # Faults
//
// The binary is built with a tag that compiles a fault switch into the runtime's
// server. A build without the tag has no such code.
package verify
