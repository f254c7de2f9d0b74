package checks

import (
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/lint/rulelint"
)

// checksDocument returns the content of docs/checks.md.
func checksDocument() string {
	var b strings.Builder
	b.WriteString(checksHead)
	for _, section := range []struct {
		title string
		rules []lint.Rule
	}{
		{"Names (check `names`)", metricnames.Catalog()},
		{"Rule files (check `lint`)", rulelint.Catalog()},
		{"Queries of rules and dashboards (check `lint`)", promlint.Catalog()},
		{"Dashboards (check `lint`)", dashboardlint.Catalog()},
		{"Exclusions (check `lint`)", lint.Catalog()},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | severity | problem | fix |\n|---|---|---|---|\n", section.title)
		for _, r := range section.rules {
			kind := "error"
			if r.Warning {
				kind = "warning"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Name, kind, cell(r.Means), cell(r.Do))
		}
	}
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

const checksHead = `# What ` + "`scaffold check`" + ` and ` + "`scaffold lint`" + ` find

Generated from the rules by ` + "`make golden`" + `. Exit codes: 0 no errors; 3 errors found; 1 a check did not run, for example because
` + "`scaffold.yaml`" + ` is invalid. Warnings do not change the exit code. A finding that depends on a guessed type, unit or name is a warning. Each
finding ends with the name of its rule in brackets (` + "`rule`" + ` in JSON). Rule names are public.

` + "`scaffold check`" + ` is for generated services. Besides the rules below it reports:

| check | reports |
|---|---|
| ` + "`drift`" + ` | files that differ from what ` + "`scaffold generate`" + ` would write |
| ` + "`signals`" + ` | routes and metrics that changed since the last generation, and routes that differ from ` + "`api/openapi.json`" + ` |
| ` + "`variables`" + ` | environment variables in files of the service that it does not read or whose values it rejects |
| ` + "`go-version`" + ` | files with another Go version than ` + "`go.mod`" + ` |
| ` + "`replace`" + ` | warnings: modules outside of the repository |
| ` + "`rules`" + ` | warnings: parts of objectives that cannot be generated, such as links without a base URL |
| ` + "`deploy`" + ` | overlays in ` + "`deploy/overlays`" + ` that contradict the spec: bounds of the autoscaler, fixed replicas, grace period, scrape interval, database connections |

Errors in generated rules and dashboards that ` + "`scaffold.yaml`" + ` causes are reported there, also by ` + "`scaffold generate`" + `.

## Files of any origin

` + "```" + `
scaffold lint rules/ dashboards/
scaffold lint alerts.yaml --metrics http://localhost:9464/metrics --metrics node.txt
scaffold lint rules/ --prometheus http://localhost:9090 --target-labels cluster,namespace
` + "```" + `

` + "`scaffold lint`" + ` needs no service. It reads ` + "`.json`" + ` files as dashboards and other files as rules; use ` + "`--dashboards`" + ` for a dashboard with another
extension. Rule files are those of Prometheus, Mimir and Thanos, and PrometheusRules, of which a file may have several. In directories, it skips YAML
without groups, rule tests, JSON that is not a dashboard, Helm templates, and PrometheusRules whose rules are in other files, too. A file of LogQL rules is not
checked, unless one of its rules names a metric.

| names are compared with | unknown metrics and records | unknown labels |
|---|---|---|
| nothing, without these flags | not checked; records are warnings | not checked |
| ` + "`--signals telemetry.json`" + `, which lists all metrics | errors | errors with ` + "`--target-labels`" + `, else warnings |
| ` + "`--metrics`" + `, pages in the text format or OpenMetrics; repeatable | warnings | warnings |
| ` + "`--prometheus`" + `, names and metadata of a running Prometheus | warnings | not checked |

- ` + "`--target-labels`" + ` lists the labels that the scrape adds, except ` + "`job`" + ` and ` + "`instance`" + `. Without it, labels that queries use with two metrics or more
  and that no metric has are assumed to be such labels; the last lines of the output list them.
- A Prometheus that responds with 401 or 403 gets the bearer token in ` + "`SCAFFOLD_PROMETHEUS_TOKEN`" + `.
- Without ` + "`--scrape-interval`" + `, 15 s is assumed and ` + "`rate-range`" + ` is a warning. Groups without an interval are assumed to be evaluated every minute.
- A label value that is not on the page is a warning if a similar value is. Labels with more than 100 values are not checked.

### Many findings

Output with more than 50 findings begins with a summary by rule. Three or more findings with the same message are grouped. ` + "`--severity error`" + ` omits
warnings.

` + "`--baseline FILE`" + ` omits the findings in a file that ` + "`--update-baseline`" + ` writes. A finding is identified by its rule, severity, path, place (group,
alert, record, panel) and message, not by its line. Entries of files that a run does not read are kept; those of deleted files are counted as no longer
found. Paths are relative to the working directory: always run ` + "`scaffold lint`" + ` in the same one.

` + "`--output sarif`" + ` writes SARIF 2.1.0. ` + "`--output github`" + ` writes workflow commands, which GitHub shows next to the lines of a pull request. ` + "`scaffold check`" + `
supports both.

## Exclusions

` + "`.scaffold-lint.yaml`" + ` excludes findings in its directory and below. Each exclusion needs a reason. An unused exclusion is an error, unless you pass single
files or omit flags that its rule depends on. The keys ` + "`file`" + `, ` + "`dashboard`" + ` (uid), ` + "`panel`" + ` (title), ` + "`group`" + `, ` + "`alert`" + ` and ` + "`record`" + ` restrict it; ` + "`*`" + ` matches
any text, in ` + "`file`" + ` any text except a slash.

` + "```yaml" + `
exclusions:
- rule: template-instance
  dashboard: shop-report
  reason: The report is about all instances together.
` + "```" + `

Rules skip what they do not apply to. Recorded series and ` + "`ALERTS`" + ` have neither job nor instance, so their dashboards need no such variables.
` + "`delta(x[5m]) >= 0`" + ` of a counter skips restarts on purpose. ` + "`vector(1)`" + ` alone is an alert that always fires.
`
