// Package render draws Grafana dashboards without Grafana: classic dashboard JSON and the results of its
// queries become SVG or HTML, as a Grafana of the same data would show them, mistakes included.
//
// A [Source] runs the queries: the HTTP APIs of [Stores], or a [Snapshot] of earlier results.
package render
