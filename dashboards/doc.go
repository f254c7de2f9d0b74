// Package dashboards turns what a service declares into Grafana dashboards, and
// into the files that a Grafana stack reads them from.
//
// [Dashboards] gives the dashboards of one service. A [Dashboard] is an outline: rows of
// panels, each a short function that names its question, its unit, its query
// and what a bad value means. Whoever adds a dashboard starts from [NewScope], which
// knows how the series of a service are found, and from its panels: [Scope.Rate],
// [Scope.Errors], [Scope.Latency], [Scope.Burn]. Positions on the grid, colours,
// legends and ids are computed in one place each.
//
// [Dashboard.Queries] reads every query back, so that a check can hold it against
// the signals that the service declares and a proof can run it. [Dashboard.JSON] is
// the classic model, which every Grafana from 11 on loads from a file and over
// its API.
//
// The package is pure: it touches no clock, disk or network and gives the same
// bytes for the same input. Everything in it may be used concurrently.
package dashboards
