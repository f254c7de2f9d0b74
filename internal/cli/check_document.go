package cli

import (
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/internal/boardlint"
	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/names"
	"github.com/observability-first/scaffold/internal/promlint"
	"github.com/observability-first/scaffold/internal/rulelint"
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
		{"Names (check `names`)", names.Catalog()},
		{"Rule files (check `lint`)", rulelint.Catalog()},
		{"Queries of rules and boards (check `lint`)", promlint.Catalog()},
		{"Boards (check `lint`)", boardlint.Catalog()},
		{"Exclusions (check `lint`)", lint.Catalog()},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | | what it means | what to do |\n|---|---|---|---|\n", section.title)
		for _, r := range section.rules {
			kind := "fault"
			if r.Warning {
				kind = "warning"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Name, kind, cell(r.Means), cell(r.Do))
		}
	}
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

const checksHead = `# What ` + "`scaffold check`" + ` finds

Generated from the rules themselves by ` + "`make golden`" + `; a test fails when it is stale. A fault makes the command exit with 3, a
warning does not. Each finding ends in the name of its rule, in brackets; in JSON it is ` + "`rule`" + `. Names of rules are public.

Beside the rules below, ` + "`check`" + ` of a service compares files with what generating them would write (` + "`drift`" + `), the service's own
answers with what was generated (` + "`signals`" + `), the variables that its files set with those that it reads (` + "`variables`" + `), the Go
versions of its files (` + "`go-version`" + `), warns of modules outside of the repository (` + "`replace`" + `), passes on what the compiler
of the objectives left out (` + "`rules`" + `), and holds the overlays of ` + "`deploy/overlays`" + ` to the spec (` + "`deploy`" + `): bounds of the
autoscaler, a number of replicas beside it, the parts of the grace period, the scrape interval, the connections of all instances.

## Files of any origin

` + "```" + `
scaffold check --rules rules/ --boards boards/ --signals telemetry.json
scaffold check --rules alerts.yaml --metrics http://localhost:9464/metrics --scrape-interval 30s --target-labels cluster
` + "```" + `

No service is needed. ` + "`--rules` and `--boards`" + ` take files and folders and may be repeated; in a folder, files without groups and
tests of rules are left out. ` + "`--signals`" + ` declares the metrics; ` + "`--metrics`" + ` reads them from a scraped page, in the text format
or OpenMetrics, where labels are those that the page shows. Without either, names of metrics and labels are not checked, and a
counter is what ends in ` + "`_total` or `_bucket`" + `. Scrapes are taken to be 15 s apart, and every group without an interval to be
evaluated each minute. ` + "`job` and `instance`" + ` are labels of every series; ` + "`--target-labels`" + ` names the others that the scrape adds.

Recorded series without ` + "`--rules`" + `, and series that nobody reads without ` + "`--boards`" + `, are nobody's fault.

## Exclusions

A file ` + "`.lint`" + ` excuses findings in its service, or in the folders that are given. Every exclusion has a reason, and one that excuses
nothing is a fault itself. The other keys narrow it: ` + "`file`, `board` (the uid), `panel` (the title), `group`, `alert`, `record`" + `;
` + "`*`" + ` stands for any text but a slash.

` + "```yaml" + `
exclusions:
- rule: template-instance
  board: shop-report
  reason: The report is about all instances together.
` + "```" + `

Rules know what they do not apply to: recorded series and ` + "`ALERTS`" + ` have neither job nor instance, so that boards of them need no such
variable; ` + "`delta(x[5m]) >= 0`" + ` of a counter leaves restarts out on purpose; ` + "`vector(1)`" + ` alone is an alert that is to fire always.
`
