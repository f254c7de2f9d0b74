// Package collector tests generated configurations with an OpenTelemetry
// Collector that has only the components in deploy/collector.yaml. It validates
// the configurations, and runs one that samples traces.
//
// The modules have version 0.165, except tail sampling with 0.161: later versions
// import ottl/contexts/xprofile, which not all module proxies serve. Both have the
// same configuration.
//
// Build tags limit the service discovery of Prometheus to Kubernetes; the SDKs of
// all clouds would take five more minutes to compile.
//
// `make collector` runs the tests.
package collector
