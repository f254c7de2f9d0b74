// Package backends tests generated rules on a real Grafana Mimir, and draws generated dashboards
// from a real Prometheus, Thanos and Mimir. The commands of the README load the rules; Mimir's
// ruler and query engine evaluate them.
//
// The servers are built from modules of their own, since they need different versions of the same
// packages, and run as programs. Mimir is licensed under the AGPL: no package here imports
// it, and no released module depends on this one. `make backends` runs the tests.
package backends
