package verify_test

import (
	"fmt"
	"maps"
	base "path"
	"regexp"
)

// panelStart matches the start of a panel, up to its title.
var panelStart = regexp.MustCompile(`"id": \d+,\s+"type": "[a-z-]+",\s+"title": "([^"]*)"`)

// inPanel replaces all matches within a panel.
func inPanel(name, path, title, pattern, with string) mutant {
	re := regexp.MustCompile(pattern)
	return mutant{base.Base(path) + ": " + title + ": " + name, func(f files) (files, error) {
		text := f[path]
		for _, at := range panelStart.FindAllStringSubmatchIndex(text, -1) {
			if text[at[2]:at[3]] != title {
				continue
			}
			end := len(text)
			if next := panelStart.FindStringIndex(text[at[1]:]); next != nil {
				end = at[1] + next[0]
			}
			panel := re.ReplaceAllString(text[at[0]:end], with)
			if panel == text[at[0]:end] {
				return nil, fmt.Errorf("%s matches nothing in panel %s", pattern, title)
			}
			out := maps.Clone(f)
			out[path] = text[:at[0]] + panel + text[end:]
			return out, nil
		}
		return nil, fmt.Errorf("%s has no panel %s", path, title)
	}}
}

// threshold changes the color of a threshold.
func threshold(path, title, color, to string) mutant {
	return inPanel("what is "+color+" is "+to, path, title, `"color": "`+color+`"`, `"color": "`+to+`"`)
}

// ofAll makes a panel show all environments.
func ofAll(path, title string) mutant {
	return inPanel("of all environments", path, title, `deployment_environment_name=\\"\$environment\\"`, `deployment_environment_name=~\".+\"`)
}

// misleading are dashboards that have data in every panel, and tell a reader what is not so.
func misleading() []mutant {
	const (
		headline = "Error ratio (5m)"
		latency  = "p99 latency (5m)"
		firing   = "Firing alerts"
		budget   = "Error budget remaining (30d)"
		outcomes = "Error ratio by outcome"
		table    = "Routes (5m, top 10)"
		rates    = "Request rate by outcome"
		windows  = "Alert windows"
		all      = "All SLOs"
		burn     = "Burn rate (1h)"
	)
	return []mutant{
		inPanel("over an hour", overview, headline, `\[5m\]`, `[1h]`),
		inPanel("counts client errors", overview, headline, `server_error\|shed`, `client_error`),
		inPanel("forgets rejected requests", overview, headline, `outcome=~\\"server_error\|shed\\"`, `outcome=\"server_error\"`),
		inPanel("forgets failed requests", overview, headline, `outcome=~\\"server_error\|shed\\"`, `outcome=\"shed\"`),
		threshold(overview, headline, "red", "green"),
		threshold(overview, headline, "green", "orange"),
		inPanel("a threshold of 144 %", overview, headline, `0\.0144`, `1.44`),
		inPanel("percent of a percent", overview, headline, `"unit": "percentunit"`, `"unit": "percent"`),
		inPanel("of the requests of clients that were wrong", overview, latency, `outcome=\\"success\\"`, `outcome=\"client_error\"`),
		threshold(overview, latency, "red", "green"),
		inPanel("an objective of a microsecond", overview, latency, `"value": 0\.2`, `"value": 0.000001`),
		inPanel("counts pending alerts", overview, firing, `alertstate=\\"firing\\"`, `alertstate=\"pending\"`),
		inPanel("of another service", overview, firing, `service=\\"orders\\"`, `service=\"order\"`),
		inPanel("one without alerts", overview, firing, `vector\(0\)`, `vector(1)`),
		inPanel("red from a hundred on", overview, firing, `"value": 1\n`, "\"value\": 100\n"),
		inPanel("a variable as data source", overview, "Alerts", `"datasource": ""`, `"datasource": "$${datasource}"`),
		inPanel("of another service", overview, "Alerts", `service=\\"orders\\"`, `service=\"order\"`),
		inPanel("of another environment", overview, "Alerts", `environment=~\\"\$environment\|\\"`, `environment=\"staging\"`),
		inPanel("not the firing ones", overview, "Alerts", `"firing": true`, `"firing": false`),
		threshold(overview, budget, "red", "green"),
		inPanel("the burn rate of the period", overview, budget, `slo:period_error_budget_remaining:ratio`, `slo:period_burn_rate:ratio`),
		edit("three quarters of the budget are spent", ticket, `1 - slo:period_burn_rate:ratio`, `1 - 0.75 * slo:period_burn_rate:ratio`, 1),
		edit("the budget of the last hour", ticket, `1 - slo:period_burn_rate:ratio`, `1 - slo:current_burn_rate:ratio`, 1),
		inPanel("as a number", overview, budget, `"unit": "percentunit"`, `"unit": "none"`),
		inPanel("little is twice the budget", overview, budget, `"value": 0\.25`, `"value": 2`),
		inPanel("the palette colors it", overview, budget, `"noValue"`, `"color": {"mode": "palette-classic"}, "noValue"`),
		inPanel("the best route first", overview, table, `"desc": true`, `"desc": false`),
		inPanel("the busiest route first", overview, table, `"displayName": "Share of errors"`, `"displayName": "Request rate"`),
		inPanel("errors of clients", overview, table, `server_error\|shed`, `client_error`),
		inPanel("latency under the heading of errors", overview, table, `"Value #B": "Error ratio"`, `"Value #B": "Failures"`),
		threshold(overview, table, "red", "green"),
		inPanel("no thresholds are drawn", overview, outcomes, `"mode": "dashed"`, `"mode": "off"`),
		inPanel("an axis for zeros", overview, outcomes, `"axisSoftMax": 0\.0144,`, ``),
		inPanel("the page is off the axis", overview, outcomes, `"min": 0,`, `"min": 0, "max": 0.001,`),
		inPanel("by route", overview, outcomes, `sum by \(outcome\)`, `sum by (http_route)`),
		inPanel("errors are green", overview, outcomes, `"fixedColor": "red"`, `"fixedColor": "green"`),
		inPanel("rejected requests are blue", overview, outcomes, `"fixedColor": "orange"`, `"fixedColor": "blue"`),
		inPanel("no outcomes", overview, rates, `sum by \(outcome\) \(`, `sum (`),
		inPanel("successes are red", overview, rates, `"fixedColor": "green"`, `"fixedColor": "red"`),
		inPanel("the rate is red", overview, "Request rate (5m)", `"fixedColor": "blue"`, `"fixedColor": "red"`),
		inPanel("a ratio", overview, "Ready instances", `"textMode": "name"`, `"textMode": "value"`),
		inPanel("all are not enough", overview, "Ready instances", `"value": 1\n`, "\"value\": 2\n"),
		inPanel("healthy is red", overview, "Dependency health", `"color": "green"`, `"color": "red"`),
		inPanel("the objective is off the axis", overview, "Latency percentiles", `"min": 0,`, `"min": 0, "max": 0.01,`),
		inPanel("is another panel", overview, firing, `"title": "Firing alerts"`, `"title": "Alerts that fire"`),
		edit("the first version is a deployment", overview, ` and on \(\) count\([^)]*\)\)?`, ``, 1),
		edit("an old version is a deployment", overview, `unless count by \(version\)`, `and count by (version)`, 1),
		edit("no deployment is marked", overview, `(?s)("name": "Deploys",.{0,200}"enable": )true`, `${1}false`, 1),
		edit("deployments last an hour", overview, `offset \$__interval`, `offset 1h`, 1),
		edit("deployments are marked ten minutes early", overview, `"expr": "\(count by \(version\) \((build_info\{[^}]*\})`, `"expr": "(count by (version) (${1} offset -10m`, 1),
		edit("the mark does not name the version", overview, `"titleFormat": "Version \{\{version\}\}"`, `"titleFormat": "Version"`, 1),
		inPanel("of the revision", overview, "Instances by version", `by \(version\)`, `by (revision)`),
		inPanel("those of the version before are counted", overview, "Ready instances", `count\(up(\{[^}]*\})\)`, `count(last_over_time(up${1}[1h]))`),
		ofAll(overview, "Warning and error logs"),
		ofAll(overview, headline),
		ofAll(overview, table),
		ofAll(overview, "Ready instances"),
		ofAll(overview, "Instances by version"),
		ofAll(resources, "Running instances"),
		ofAll(objectives, "Good and bad events"),
		inPanel("of no environment", overview, "Warning and error logs", `deployment_environment_name=\\"\$environment\\",`, ``),
		inPanel("of no environment", overview, rates, `deployment_environment_name=\\"\$environment\\",`, ``),
		inPanel("of all environments", overview, "Traces with errors", ` && resource\.deployment\.environment\.name = \\"\$environment\\"`, ``),
		edit("deployments of all environments", overview, `(build_info\{)deployment_environment_name=\\"\$environment\\",`, `${1}deployment_environment_name=~\".+\",`, 0),
		inPanel("firing is ok", objectives, windows, `"text": "firing"`, `"text": "ok"`),
		inPanel("of the other severity", objectives, windows, `severity=\\"critical\\"`, `severity=\"warning\"`),
		inPanel("the objective as budget", objectives, all, `slo:period_error_budget_remaining:ratio`, `slo:period_burn_rate:ratio`),
		threshold(objectives, all, "red", "green"),
		threshold(objectives, burn, "red", "blue"),
		inPanel("relative to the objective", objectives, burn, `slo:error_budget:ratio`, `slo:objective:ratio`),
		inPanel("by outcome", objectives, "Budget spent by route", `sum by \(http_route\)`, `sum by (outcome)`),
		inPanel("by revision", objectives, "Budget spent by version", `group_left \(version\)`, `group_left (revision)`),
		inPanel("thresholds below the axis", objectives, "Burn rate by window", `"min": 0\.1`, `"min": 20`),
		inPanel("no thresholds are drawn", objectives, "Burn rate by window", `"mode": "dashed"`, `"mode": "off"`),
		inPanel("no instance", resources, "Highest utilization (5m)", `max by \(instance\)`, `max`),
	}
}
