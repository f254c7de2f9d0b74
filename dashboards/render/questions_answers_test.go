package render_test

import "slices"

// answer is a text that a reader finds in a panel. A text of a table is the cells of a row. On is the dashboard with the panel,
// if it is another one, to which a link leads.
type answer struct{ question, on, panel, class, text, color string }

// The questions of an engineer who was called, in their order.
const (
	isItReal   = "Is it real?"
	sinceWhen  = "Since when?"
	whatChange = "What changed?"
	where      = "Where?"
	whoElse    = "Who is affected?"
	whatIsLeft = "What is left?"
	whatToDo   = "What to do?"
)

func questions() []string {
	return []string{isItReal, sinceWhen, whatChange, where, whoElse, whatIsLeft, whatToDo}
}

// answers are those that each situation has to show: one or more for each question.
func answers() map[string][]answer {
	const routes, budget, burns = "Routes (5m, top 10)", "Error budget remaining (30d)", "OrdersAvailabilityErrorBudgetBurn"
	deployed := answer{whatChange, "", "", "annotation", "12:08:00 Version 1.5.0", ""}
	runbook := answer{whatToDo, "", "Alerts", "alert", burns, ""}
	incident := []answer{
		{isItReal, "", "Error ratio (5m)", "value", "11.04%", "red"},
		{isItReal, "", "Firing alerts", "value", "5", "red"},
		{sinceWhen, "", "Error ratio by outcome", "legend", "server_error", ""},
		{sinceWhen, "", "Alerts", "alert", "Firing for 4m30s  2 instances", ""},
		deployed,
		{where, "", routes, "row", "POST /v1/orders 16.0 req/s 41.26% 721 ms 100%", "red"},
		{where, "", "Dependency health", "axis", "postgres", ""},
		{whoElse, "", routes, "row", "DELETE /v1/orders/{id} 1.85 req/s 0.00% 25.8 ms 0%", "green"},
		{whoElse, "", "Ready instances", "value", "3 of 3", "green"},
		{whatIsLeft, "", budget, "value", "-3134.5%", "red"},
		{whatIsLeft, "", budget, "value", "-83.0%", "red"},
		runbook,
	}
	overview := append(slices.Clone(incident), answer{whatChange, "", "Instances by version", "legend", "1.5.0", ""})
	week := slices.Clone(incident) // whose points are ten minutes apart
	week[slices.Index(week, deployed)].text = "12:10:00 Version 1.5.0"
	return map[string][]answer{
		"overview-incident": overview,
		"overview-light":    overview,
		"headline-1h":       overview,
		"headline-7d":       week,
		"overview-healthy-staging": {
			{isItReal, "", "Error ratio (5m)", "value", "0.00%", "green"},
			{isItReal, "", "p99 latency (5m)", "value", "17.0 ms", "green"},
			{sinceWhen, "", "Alerts", "alert", "Firing for 15m30s  3 instances", ""},
			{whatChange, "", "Instances by version", "legend", "1.5.0", ""},
			{where, "", routes, "row", "POST /v1/orders 1.21 req/s 0.00% 22.5 ms", "green"},
			{whoElse, "", "Ready instances", "value", "1 of 1", "green"},
			{whatIsLeft, "", budget, "value", "100.0%", "green"},
			{whatToDo, "", "Alerts", "alert", "OrdersTelemetryDropped", ""},
		},
		"overview-after": {
			{isItReal, "", "Error ratio (5m)", "value", "0.45%", "orange"},
			{isItReal, "", "p99 latency (5m)", "value", "60.5 ms", "green"},
			{sinceWhen, "", "Alerts", "alert", "Firing for 26m30s  1 instance", ""},
			deployed,
			{where, "", routes, "row", "POST /v1/orders 9.96 req/s 2.61% 616 ms 100%", "red"},
			{whoElse, "", routes, "row", "GET /v1/orders/{id} 22.7 req/s 0.00% 22.8 ms 0%", "green"},
			{whatIsLeft, "", budget, "value", "-3084.7%", "red"},
			runbook,
		},
		"slo-prod": {
			{isItReal, "", "Burn rate (1h)", "value", "37.13", "red"},
			{isItReal, "", "All SLOs", "row", "availability 99.900% 96.766% -3134.5% 95.60", "red"},
			{sinceWhen, "", "Alert windows", "row", "critical 1h 5m 14.4 37.13 95.60 firing", "red"},
			{sinceWhen, "", "Alert history", "axis", "critical 1h", ""},
			deployed,
			{whatChange, "", "Budget spent by version", "row", "1.5.0 2745.4%", ""},
			{where, "", "Budget spent by route", "row", "/v1/orders 4474.6%", ""},
			{whoElse, "", "Budget spent by route", "row", "/v1/orders/{id} 0.0%", ""},
			{whatIsLeft, "", "Error budget remaining", "value", "-3134.5%", "red"},
			{whatIsLeft, "", "Time to exhaustion", "value", "0 s", "red"},
			{whatToDo, "overview", "Alerts", "alert", burns, ""},
		},
		"resources": {
			{isItReal, "", "Highest utilization (5m)", "row", "memory 127.0.0.1:39462 10.1%", "green"},
			{sinceWhen, "overview", "Alerts", "alert", "Firing for 4m30s  2 instances", ""},
			deployed,
			{where, "", "Highest utilization (5m)", "row", "CPU 127.0.0.1:39461 0.6%", "green"},
			{whoElse, "", "Memory utilization", "legend", "127.0.0.1:39463", ""},
			{whoElse, "overview", "Ready instances", "value", "3 of 3", "green"},
			{whatIsLeft, "", "Highest utilization (5m)", "row", "database connections 127.0.0.1:39461 0.0%", "green"},
			{whatIsLeft, "overview", budget, "value", "-3134.5%", "red"},
			{whatToDo, "overview", "Alerts", "alert", burns, ""},
		},
		"dependencies-locks": {
			{isItReal, "", "Waits for a connection", "row", "waits 14.7 ops/s 7.51 ops/s", ""},
			{isItReal, "", "Waits for a connection", "row", "timeouts 10.4 ops/s 5.31 ops/s", ""},
			{sinceWhen, "overview", "Alerts", "alert", "Firing for 14m  2 instances", ""},
			deployed,
			{where, "", "Query errors by type", "row", "timeout 0.951 ops/s 0.484 ops/s", ""},
			{whoElse, "", "Query error ratio (top 10)", "legend", "INSERT", ""},
			{whatIsLeft, "", "Connections by state", "legend", "orders_grafana maximum", ""},
			{whatIsLeft, "overview", budget, "value", "-3647.9%", "red"},
			{whatToDo, "overview", "Alerts", "alert", burns, ""},
		},
		"runtime-locks": {
			{isItReal, "", "Goroutines by state", "legend", "waiting", ""},
			{sinceWhen, "overview", "Alerts", "alert", "Firing for 14m  2 instances", ""},
			deployed,
			{where, "dependencies", "Waits for a connection", "row", "waits 14.7 ops/s 7.51 ops/s", ""},
			{whoElse, "overview", routes, "row", "GET /v1/orders/{id} 22.5 req/s 6.12% 593 ms 37.4%", "red"},
			{whatIsLeft, "", "CPU cores", "legend", "GOMAXPROCS", ""},
			{whatIsLeft, "overview", budget, "value", "-3647.9%", "red"},
			{whatToDo, "overview", "Alerts", "alert", burns, ""},
		},
	}
}
