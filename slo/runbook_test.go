package slo_test

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/source/markdown"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
)

func books(t *testing.T, rules slo.Rules) []slo.Runbook {
	t.Helper()
	out, err := rules.Runbooks(slo.RunbookOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGoldenRunbooks(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{"orders": generated, "checkout": example(t)} {
		var want []string
		for _, b := range books(t, mustCompile(t, src)) {
			path := filepath.Join("testdata", name, "runbooks", b.Name)
			golden.Compare(t, path, b.Data)
			want = append(want, path)
		}
		got, err := filepath.Glob(filepath.Join("testdata", name, "runbooks", "*"))
		if slices.Sort(want); err != nil || !slices.Equal(got, want) {
			t.Errorf("golden files %v, want %v (%v)", got, want, err)
		}
	}
}

// sections returns the text below each heading "## ..." of a runbook.
func sections(b slo.Runbook) map[string]string {
	out := map[string]string{}
	for _, part := range strings.Split(string(b.Data), "\n## ")[1:] {
		heading, text, _ := strings.Cut(part, "\n")
		out[heading] = text
	}
	return out
}

func TestEachAlertHasASection(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := mustCompile(t, src)
			found := map[string]string{}
			for _, b := range books(t, rules) {
				all := sections(b)
				for _, common := range []string{"Common queries", "Escalate", "Silence", "Resolve", "Notes of the team"} {
					if all[common] == "" {
						t.Errorf("%s has no section %s", b.Name, common)
					}
				}
				if !strings.Contains(all["Common queries"], "started in the last six hours?") || !strings.Contains(all["Resolve"], "resolves by itself") {
					t.Errorf("the common sections of %s are\n%s", b.Name, b.Data)
				}
				for _, alert := range b.Alerts {
					if found[alert] != "" {
						t.Errorf("%s has two sections", alert)
					}
					found[alert] = all[alert]
					if !strings.Contains(all["Silence"], "`amtool silence add ") || !strings.Contains(all["Silence"], " alertname="+alert+" ") {
						t.Errorf("%s has no silence for %s", b.Name, alert)
					}
				}
			}
			for _, a := range rules.Alerts {
				at := 0
				for _, part := range []string{
					"- **Impact.** ", "- **Condition.** ", "### Diagnose", question(a), "Healthy: ", "### Mitigate\n1. ",
					"[Common queries](#common-queries)", "[Escalate](#escalate)", "[Silence](#silence)",
				} {
					i := strings.Index(found[a.Name][at:], part)
					if i < 0 {
						t.Fatalf("%s: no %q after\n%s", a.Name, part, found[a.Name][:at])
					}
					at += i
				}
			}
		})
	}
}

// question is the first question of the section of an alert.
func question(a slo.Alert) string {
	switch a.Kind {
	case slo.KindErrorBudgetBurn:
		return "What are the error ratios of the short windows?"
	case slo.KindDown:
		return "How many instances run?"
	case slo.KindCrashLooping:
		return "How many times did the instance with the most restarts restart in the last ten minutes?"
	case slo.KindNotReady:
		return "What ratio of the instances is ready?"
	}
	return "What is the value now?"
}

// An alert and its condition in English are written separately.
func TestConditionsAgreeWithTheRules(t *testing.T) {
	t.Parallel()
	numbers := regexp.MustCompile(`[0-9.]*[0-9]`)
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, a := range mustCompile(t, src).Alerts {
				switch {
				case a.Burn != nil:
					if a.Condition != "" {
						t.Errorf("%s: condition %q, want none beside its table", a, a.Condition)
					}
					continue
				case !strings.HasSuffix(a.Condition, ".") || strings.Count(a.Condition, ". ") > 0:
					t.Errorf("%s: the condition %q is not one sentence", a, a.Condition)
				}
				if a.Rule.For > 0 && !strings.Contains(a.Condition, " "+english(a.Rule.For)) {
					t.Errorf("%s: the condition %q does not name %s", a, a.Condition, english(a.Rule.For))
				}
				for _, n := range numbers.FindAllString(a.Condition, -1) {
					if !derived(t, n, a.Rule) {
						t.Errorf("%s: %s of the condition %q is not in the rule %s", a, n, a.Condition, a.Rule.Expr)
					}
				}
			}
		})
	}
}

func english(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// derived reports whether a number of a condition is that of the rule: a number of its
// expression, the product of two of these, a percentage, twice the half of the instances, or
// a duration.
func derived(t *testing.T, number string, r slo.Rule) bool {
	t.Helper()
	want, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	have := []float64{1, r.For.Seconds(), r.For.Minutes()}
	for _, n := range regexp.MustCompile(`[0-9.]*[0-9]`).FindAllString(r.Expr, -1) {
		f, err := strconv.ParseFloat(n, 64)
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, f, f*100, f*2, f/60) // 180 s are 3 minutes
	}
	for _, a := range have {
		for _, b := range have {
			if math.Abs(a*b-want) < 1e-9 {
				return true
			}
		}
	}
	return false
}

func TestRunbookOfAnObjectiveWithTheNameOfAFamily(t *testing.T) {
	t.Parallel()
	const ratio = ", objective: 99, indicator: {ratio: {total: a_total, bad: b_total}}}\n"
	src := generated + "  - {name: instances" + ratio + "  - {name: resources" + ratio + "  - {name: telemetry" + ratio
	rules := mustCompile(t, src)
	var got []string
	for _, b := range books(t, rules) {
		got = append(got, b.Name)
	}
	want := []string{
		"availability.md", "latency.md", "routes.md", "instances.slo.md", "resources.slo.md", "telemetry.slo.md",
		"instances.md", "resources.md", "telemetry.md",
	}
	if !slices.Equal(got, want) {
		t.Errorf("runbooks %q, want %q", got, want)
	}
	for alert, want := range map[string]string{
		"OrdersInstancesErrorBudgetBurn": "/instances.slo.md#ordersinstanceserrorbudgetburn", "OrdersDown": "/instances.md#ordersdown",
	} {
		if link := annotation(rule(t, rules, alert), "runbook_url"); !strings.HasSuffix(link, want) {
			t.Errorf("%s: the runbook is %s, want %s", alert, link, want)
		}
	}
}

// The annotation names a file and an anchor that exist, also with another base.
func TestRunbookURLsNameSections(t *testing.T) {
	t.Parallel()
	wiki := strings.Replace(generated, "links: {", "links: {runbooks: 'https://wiki.acme.test/on-call/', ", 1)
	for base, src := range map[string]string{
		"https://github.com/acme/orders/blob/main/observability/runbooks/": generated,
		"https://github.com/acme/checkout/blob/main/runbooks/":             example(t),
		"https://wiki.acme.test/on-call/":                                  wiki,
	} {
		rules := mustCompile(t, src)
		anchors := map[string][]string{}
		for _, b := range books(t, rules) {
			anchors[b.Name] = markdown.Anchors(string(b.Data))
		}
		for _, a := range rules.Alerts {
			link := annotation(a.Rule, "runbook_url")
			file, anchor, _ := strings.Cut(path.Base(link), "#")
			if !strings.HasPrefix(link, base+file+"#") || !slices.Contains(anchors[file], anchor) {
				t.Errorf("%s: %s does not exist; %s has %q", a, link, file, anchors[file])
			}
		}
	}
}

func TestRunbookQueriesSelectTheService(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, generated)
	for _, b := range books(t, rules) {
		if len(b.Queries) < 5 {
			t.Errorf("%s has %d queries", b.Name, len(b.Queries))
		}
		for _, q := range b.Queries {
			if !bytes.Contains(b.Data, []byte("```promql\n"+q+"\n```\n")) {
				t.Errorf("%s does not contain the query %s", b.Name, q)
			}
			for _, s := range selectors(t, q) {
				if !narrowed(s, rules.Spec) {
					t.Errorf("%s reads %s of all services", b.Name, s)
				}
			}
		}
	}
}

func TestRunbookMarkersWithHostileText(t *testing.T) {
	t.Parallel()
	rules, err := slo.Compile(hostileSpec())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range books(t, rules) {
		file := string(b.Data)
		if strings.Count(file, slo.FactsBegin) != 1 || strings.Count(file, slo.FactsEnd) != 1 {
			t.Errorf("%s: the markers occur %d and %d times", b.Name, strings.Count(file, slo.FactsBegin), strings.Count(file, slo.FactsEnd))
		}
		for _, q := range b.Queries {
			selectors(t, q) // parses, with the marker inside a string
		}
		if !strings.Contains(file, `--alertmanager.url='https://a.test/'\''$(x)'`) {
			t.Errorf("%s: the address is not quoted for a shell", b.Name)
		}
	}
}

// Only the title and the notes are user-owned: corrections of mitigations reach all services.
func TestRunbookIsGeneratedExceptForTitleAndNotes(t *testing.T) {
	t.Parallel()
	for _, b := range books(t, mustCompile(t, generated)) {
		before, rest, _ := strings.Cut(string(b.Data), slo.FactsBegin)
		_, after, _ := strings.Cut(rest, slo.FactsEnd)
		if title := "# orders: " + strings.TrimSuffix(b.Name, ".md") + "\n\n"; before != title {
			t.Errorf("%s: user-owned text before the markers is %q, want %q", b.Name, before, title)
		}
		if !strings.HasPrefix(after, "\n\n## Notes of the team\n\n") || strings.Count(after, "\n") != 5 {
			t.Errorf("%s: user-owned text after the markers is %q", b.Name, after)
		}
	}
}

// Commands must work when copied: they set the namespace, and do not change the kubectl
// context.
func TestRunbookCommandsSetTheNamespace(t *testing.T) {
	t.Parallel()
	out, err := mustCompile(t, generated).Runbooks(slo.RunbookOptions{
		Environment: "prod", Namespace: "orders-prod", Rollback: "./ci rollback prod N",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range out {
		if all, named := bytes.Count(b.Data, []byte("kubectl "))-bytes.Count(b.Data, []byte("kubectl config current-context")), bytes.Count(b.Data, []byte("`kubectl -n orders-prod ")); all == 0 || all != named {
			t.Errorf("%s: %d of %d commands set the namespace:\n%s", b.Name, named, all, b.Data)
		}
		if !bytes.Contains(b.Data, []byte("`./ci rollback prod N`")) {
			t.Errorf("%s has no ./ci rollback", b.Name)
		}
		if n := bytes.Count(b.Data, []byte(" environment=prod")); n != len(b.Alerts) {
			t.Errorf("%s: %d silences for the environment, want %d", b.Name, n, len(b.Alerts))
		}
	}
}

func TestRunbooksMentionOnlyExistingDatabases(t *testing.T) {
	t.Parallel()
	for _, b := range books(t, mustCompile(t, generated)) {
		for _, word := range []string{"database", "postgres", "dependencies dashboard"} {
			if strings.Contains(strings.ToLower(string(b.Data)), word) {
				t.Errorf("%s mentions %s:\n%s", b.Name, word, b.Data)
			}
		}
	}
}

// Without commands no step links to them.
func TestRunbooksOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, generated)
	for _, commands := range [][]slo.Command{{}, {{Purpose: "start N instances", Line: "nomad job scale orders N"}}} {
		out, err := rules.Runbooks(slo.RunbookOptions{Commands: commands, Context: "nomad status"})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range out {
			text := string(b.Data)
			has := len(commands) > 0
			if strings.Contains(text, "kubectl") || strings.Contains(text, "`nomad job scale orders N`") != has || strings.Contains(text, "](#commands)") != (has && b.Name != "telemetry.md") ||
				strings.Contains(text, "## Commands") != has || has && !strings.Contains(text, "`nomad status`") {
				t.Errorf("%d commands: %s is\n%s", len(commands), b.Name, text)
			}
		}
	}
}

func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	scaled := strings.Replace(generated, "{min: 3}", "{min: 3, max: 10}", 1)
	for _, tc := range []struct {
		src     string
		options slo.RunbookOptions
		want    string
	}{
		{scaled, slo.RunbookOptions{}, "`kubectl patch hpa/orders --type merge --patch '{\"spec\":{\"minReplicas\":N}}'`"},
		{scaled, slo.RunbookOptions{Autoscaler: "scaledobject"}, "`kubectl patch scaledobject/orders --type merge --patch '{\"spec\":{\"maxReplicaCount\":N}}'`"},
		{generated, slo.RunbookOptions{}, "`kubectl scale deployment/orders --replicas=N`"},
		{generated, slo.RunbookOptions{AdminPort: "9999"}, "`kubectl port-forward POD 9999`"},
		{generated, slo.RunbookOptions{AdminPort: "9999"}, " on 127.0.0.1:9999 |"},
		{strings.Replace(generated, "slos:", "groupBy: [cluster]\nslos:", 1), slo.RunbookOptions{}, " environment=production cluster=CLUSTER`"},
		{strings.Replace(generated, "slos:", "alerting: {severities: {page: sev_1, ticket: a`b}}\nslos:", 1), slo.RunbookOptions{}, "with the severity sev\\_1 to"},
	} {
		out, err := mustCompile(t, tc.src).Runbooks(tc.options)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range out {
			if b.Name == "availability.md" && !strings.Contains(string(b.Data), tc.want) {
				t.Errorf("%+v: no %s in\n%s", tc.options, tc.want, b.Data)
			}
		}
	}
}

// A page and a ticket of one objective differ in their urgency.
func TestEscalationNamesTheSeverities(t *testing.T) {
	t.Parallel()
	for _, b := range books(t, mustCompile(t, generated)) {
		text := sections(b)["Escalate"]
		page, ticket := strings.Contains(text, "severity critical to the [contacts]"), strings.Contains(text, "severity warning can wait")
		if onlyTickets := strings.Contains(text, "These alerts are tickets"); onlyTickets == page || onlyTickets == ticket {
			t.Errorf("%s: pages %t, tickets %t in %q", b.Name, page, ticket, text)
		}
		if strings.Contains(text, "SLONoData") != (b.Name == "telemetry.md") {
			t.Errorf("%s: SLONoData in %q", b.Name, text)
		}
	}
}
