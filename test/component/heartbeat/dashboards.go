package heartbeat

import "github.com/observability-first/scaffold/dashboards"

// dependency is the monitor on the dashboards.
func dependency() dashboards.Dependency {
	return dashboards.Dependency{Name: "heartbeat", Rows: func(s dashboards.Scope) []dashboards.Row {
		rate := s.Rate("Heartbeats by result", s.Metric(sent), dashboards.PerSecond, labelResult).
			Describe("Heartbeats per second of all instances.", "If they fail, check the network and the monitor.")
		rate.Colors = map[string]string{success: dashboards.Good, failed: dashboards.Failing}
		return []dashboards.Row{{Title: "Heartbeats", Panels: []dashboards.Panel{rate}}}
	}}
}
