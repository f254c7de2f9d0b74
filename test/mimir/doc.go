// Package mimir holds the test that gives generated rules to a real Grafana
// Mimir, with the command of the README: mimirtool sends them, and Mimir's own
// ruler and query engine evaluate them.
//
// Both are built from Mimir's module and run as programs. Mimir is under the
// AGPL; nothing here imports it, and nothing that ships knows of this module.
// `make mimir` runs it.
package mimir
