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

// checksDocument is docs/checks.md. A test compares the two, so that neither
// knows a rule that the other does not.
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
		fmt.Fprintf(&b, "\n## %s\n\n| rule | | what it means | what to do |\n|---|---|---|---|\n", section.title)
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

const checksHead = `# What ` + "`scaffold check` and `scaffold lint`" + ` find

Generated from the rules themselves by ` + "`make golden`" + `; a test fails when it is stale. An error makes the command exit with 3, a
warning does not. An error is certain: where a rule has to guess a type, a unit or a name, it warns. Each finding ends in the name of
its rule, in brackets; in JSON it is ` + "`rule`" + `. Names of rules are public.

` + "`scaffold check`" + ` is for a generated service. Beside the rules below it compares files with what generating them would write (` + "`drift`" + `), the
service's own responses with what was generated and its routes with ` + "`api/openapi.json`" + ` (` + "`signals`" + `), the environment variables that its files set with those that it reads
(` + "`variables`" + `), the Go versions of its files (` + "`go-version`" + `), warns of modules outside of the repository (` + "`replace`" + `), passes on what the compiler
of the objectives left out (` + "`rules`" + `), and compares the overlays of ` + "`deploy/overlays`" + ` with the spec (` + "`deploy`" + `): bounds of the
autoscaler, a number of replicas beside it, the parts of the grace period, the scrape interval, the connections of all instances.
Errors of generated rules and dashboards that come from ` + "`scaffold.yaml`" + ` are reported there, by ` + "`generate`" + ` too.

## Files of any origin

` + "```" + `
scaffold lint rules/ dashboards/
scaffold lint alerts.yaml --metrics http://localhost:9464/metrics --metrics node.txt
scaffold lint rules/ --prometheus http://localhost:9090 --target-labels cluster,namespace
` + "```" + `

No service is needed. ` + "`.json`" + ` is read as a dashboard, any other file as rules; use ` + "`--dashboards`" + ` for a dashboard with another extension. A file that is named is read alone. Rule
files are those of Prometheus, Mimir and Thanos, and PrometheusRule resources, of which a file may have several. In a directory, YAML without groups, tests of rules, JSON
that is not a dashboard, Helm templates, and a PrometheusRule with the rules of other files are skipped. A file of rules in LogQL is not checked, unless a rule names a metric.

| names are compared with | unknown metrics and records | unknown labels |
|---|---|---|
| nothing, without these flags | not checked; records are warnings | not checked |
| ` + "`--signals telemetry.json`" + `, which lists all metrics | errors | errors with ` + "`--target-labels`" + `, else warnings |
| ` + "`--metrics`" + `, pages in the text format or OpenMetrics; may be repeated | warnings | warnings |
| ` + "`--prometheus`" + `, the names and metadata of a running Prometheus | warnings | not checked |

` + "`job` and `instance`" + ` are labels of every series; ` + "`--target-labels`" + ` lists the others that the scrape adds. Without it, labels that queries use of two
metrics or more, and that none has, are assumed to be such labels; the last lines of the output name them. A Prometheus that responds
with 401 or 403 is sent the bearer token in ` + "`SCAFFOLD_PROMETHEUS_TOKEN`" + `. Without ` + "`--scrape-interval`" + ` scrapes are taken to be 15 s apart, and ` + "`rate-range`" + ` warns. Groups without an
interval are taken to be evaluated each minute. If a query selects a label value that is not on the page and a similar one is, a warning suggests it; labels with more than 100 values are not checked.

### Many findings

More than 50 findings begin with a summary by rule, and findings with the same message are grouped from three on.
` + "`--severity error`" + ` leaves out warnings. ` + "`--baseline FILE`" + ` leaves out the findings of a file that ` + "`--update-baseline`" + ` writes: a finding is known by its rule, severity, path, place in the file
(group, alert, record, panel) and message, and not by its line. Entries of files that a run does not read stay; those of deleted files are counted as no longer found. Paths are relative to the working directory; always run lint from the same one.

` + "`--output sarif`" + ` writes SARIF 2.1.0 and ` + "`--output github`" + ` workflow commands, which GitHub shows beside the lines of a pull request; ` + "`check`" + ` has both, too.

## Exclusions

A file ` + "`.scaffold-lint.yaml`" + ` excludes findings in its directory and below. Every exclusion has a reason, and one that excludes
nothing is an error, unless you named single files, or left out flags that its rule depends on. The other keys narrow it: ` + "`file`, `dashboard` (the uid), `panel` (the title), `group`, `alert`, `record`" + `;
` + "`*`" + ` stands for any text, in ` + "`file`" + ` for any text but a slash.

` + "```yaml" + `
exclusions:
- rule: template-instance
  dashboard: shop-report
  reason: The report is about all instances together.
` + "```" + `

Rules leave out what they do not apply to: recorded series and ` + "`ALERTS`" + ` have neither job nor instance, so that dashboards of them need no such
variable; ` + "`delta(x[5m]) >= 0`" + ` of a counter leaves restarts out on purpose; ` + "`vector(1)`" + ` alone is an alert that is to fire always.
`
