// Package mimir tests generated rules and dashboards on a real Grafana Mimir. The commands of the
// README load the rules; Mimir's ruler and query engine evaluate them. Pictures of dashboards have
// the results of its query engine.
//
// Mimir and mimirtool are built from Mimir's module and run as programs. Mimir is
// licensed under the AGPL: no package here imports it, and no released module
// depends on this one. `make mimir` runs the tests.
package mimir
