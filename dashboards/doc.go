// Package dashboards makes the Grafana dashboards of a service, and the configuration
// of a local Grafana stack that loads them.
//
// [Compile] returns the dashboards of a service. To add one, make a [Scope] with
// [NewScope], make panels with [Scope.Rate], [Scope.Errors], [Scope.Latency] and
// [Scope.Burn] or as [Panel] values, and pass them to [New]. The package sets positions,
// colors, legends and ids.
//
// A [Dependency] adds rows for what a service calls; [Scope.RED] and [Scope.UtilizationGraph]
// make their common panels. The packages in templates/components are examples.
//
// [Dashboard.Queries] lists the queries, for checks. [Dashboard.JSON] is the classic
// dashboard JSON, which Grafana 11 and later load from files and over the API.
//
// The package uses no clock, disk or network, and equal input gives equal bytes. All of
// it is safe for concurrent use.
package dashboards
