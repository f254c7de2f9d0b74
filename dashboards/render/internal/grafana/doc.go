// Package grafana computes what Grafana's front end computes between a query's result and its
// drawing: names, field configuration, transformations, reducers, display texts, colors and axes.
//
// It follows Grafana 13.2 (packages @grafana/data and @grafana/ui) and uPlot 1.6.32, which draws
// Grafana's graphs. `make grafana-parity` compares units, reducers, field configuration,
// transformations, colors, and the ranges and ticks of axes with the originals; what Grafana makes of
// a scale's configuration is not in a published package, and follows its source. NaN stands for both of Grafana's null and NaN, which its panels draw alike.
package grafana
