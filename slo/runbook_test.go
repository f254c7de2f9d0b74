package slo_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
			path := filepath.Join("testdata", name, "runbooks", b.FileName())
			golden.Compare(t, path, b.File())
			want = append(want, path)
		}
		got, err := filepath.Glob(filepath.Join("testdata", name, "runbooks", "*"))
		if slices.Sort(want); err != nil || !slices.Equal(got, want) {
			t.Errorf("golden files %v, want %v (%v)", got, want, err)
		}
	}
}

func TestEachAlertHasARunbook(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := mustCompile(t, src)
			found := map[string]slo.Runbook{}
			for _, b := range books(t, rules) {
				found[b.Alert] = b
			}
			for _, a := range rules.Alerts {
				b, ok := found[a.Name]
				if !ok {
					t.Errorf("%s has no runbook", a.Name)
					continue
				}
				for _, part := range []string{"**Impact.**", "Is the alert condition still true?", "Expected:", "new since six hours ago?", "## Mitigate", "## Escalate", "amtool silence add", "resolves by itself", "## Diagnose", "## Resolve"} {
					if !strings.Contains(string(b.File()), part) {
						t.Errorf("%s does not contain %q", a.Name, part)
					}
				}
			}
		})
	}
}

func TestRunbookQueriesSelectTheService(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, generated)
	for _, b := range books(t, rules) {
		if len(b.Queries()) < 2 {
			t.Errorf("%s has %d queries", b.Alert, len(b.Queries()))
		}
		for _, q := range b.Queries() {
			if !bytes.Contains(b.Facts, []byte(q)) {
				t.Errorf("the facts of %s do not contain the query %s", b.Alert, q)
			}
			for _, s := range selectors(t, q) {
				if !narrowed(s, rules.Spec) {
					t.Errorf("%s reads %s of all services", b.Alert, s)
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
		file := string(b.File())
		if strings.Count(file, slo.FactsBegin) != 1 || strings.Count(file, slo.FactsEnd) != 1 {
			t.Errorf("%s: the markers occur %d and %d times", b.Alert, strings.Count(file, slo.FactsBegin), strings.Count(file, slo.FactsEnd))
		}
		if !strings.HasPrefix(string(b.Facts), slo.FactsBegin) || !strings.HasSuffix(string(b.Facts), slo.FactsEnd+"\n") {
			t.Errorf("%s: the facts are not between the markers:\n%s", b.Alert, b.Facts)
		}
		for _, q := range b.Queries() {
			selectors(t, q) // parses, with the marker inside a string
		}
		if !strings.Contains(file, `--alertmanager.url='https://a.test/'\''$(x)'`) {
			t.Errorf("%s: the address is not quoted for a shell", b.Alert)
		}
	}
}

// Commands must work when copied: they set the namespace, and do not change the kubectl
// context.
func TestRunbookCommandsSetTheNamespace(t *testing.T) {
	t.Parallel()
	out, err := mustCompile(t, generated).Runbooks(slo.RunbookOptions{
		Environment: "prod", Namespace: "orders-prod", Release: "./ci rollback prod", Scale: "kubectl -n orders-prod patch hpa/orders",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range out {
		if all, named := bytes.Count(b.Body, []byte("kubectl ")), bytes.Count(b.Body, []byte("`kubectl -n orders-prod ")); all != named {
			t.Errorf("%s: %d of %d commands set the namespace:\n%s", b.Alert, named, all, b.Body)
		}
		if rollsBack := bytes.Contains(b.Body, []byte("`./ci rollback prod`")); rollsBack != strings.HasSuffix(b.Alert, "ErrorBudgetBurn") {
			t.Errorf("%s: contains ./ci rollback: %t", b.Alert, rollsBack)
		}
		if !bytes.Contains(b.Body, []byte(" environment=prod\n")) {
			t.Errorf("%s: the silence is for another environment", b.Alert)
		}
	}
}

func TestRunbooksMentionOnlyExistingDatabases(t *testing.T) {
	t.Parallel()
	for _, b := range books(t, mustCompile(t, generated)) {
		if text := string(b.Body); strings.Contains(strings.ToLower(text), "database") {
			t.Errorf("%s mentions a database:\n%s", b.Alert, text)
		}
	}
}

func TestRunbookScaleCommand(t *testing.T) {
	t.Parallel()
	out, err := mustCompile(t, generated).Runbooks(slo.RunbookOptions{Scale: "nomad job scale orders 6"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out[0].Body), "`nomad job scale orders 6`") || strings.Contains(string(out[0].Body), "kubectl scale") {
		t.Errorf("the body has another command:\n%s", out[0].Body)
	}
}
