// Package collector holds the test that gives generated configurations to the
// OpenTelemetry Collector: a collector of exactly the components that
// deploy/collector.yaml names validates them with its own code, and one of them
// runs and chooses among real traces.
//
// The modules are those of version 0.165. Tail sampling is of 0.161: the later
// ones import ottl/contexts/xprofile, which not every proxy serves. What the two
// read from a configuration is the same.
//
// The service discovery of Prometheus is compiled for Kubernetes alone, by tags
// of its own; the SDKs of all clouds would take five minutes more.
//
// `make collector` runs it.
package collector
