// Package render draws Grafana dashboards without Grafana: classic dashboard JSON and the results of its
// queries become SVG or HTML, as a Grafana of the same data would show them, mistakes included.
//
// A [Source] answers the queries: the HTTP API of a store, or a [Snapshot] of earlier answers.
package render
