// Package grafana computes what Grafana's front end computes between a query's result and its
// drawing: names, field configuration, transformations, reducers, display texts, colors and axes.
//
// It follows Grafana 13.2 (packages @grafana/data and @grafana/ui) and uPlot 1.6.32, which draws
// Grafana's graphs, to the digit: `make grafana-parity` compares each function with the original.
// NaN stands for both of Grafana's null and NaN, which its panels draw alike.
package grafana
