package backends

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pushed is the result of a push for each group, as "<action> <written>".
type pushed map[string]string

// push runs the command of the README in the directory of a service. It returns
// the error message of a push that Mimir rejects.
func push(t *testing.T, bin string, s server, service string, more ...string) (did pushed, rejection string) {
	t.Helper()
	command, _, _ := readme(t)
	args := strings.Fields(strings.ReplaceAll(command, "URL", s.url))
	cmd := exec.CommandContext(t.Context(), bin, append(append(args, "--output", "json"), more...)...)
	cmd.Dir, cmd.Env = service, []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	var doc struct {
		Groups []group `json:"groups"`
		Error  struct {
			Message string  `json:"message"`
			Groups  []group `json:"groups"`
		} `json:"error"`
	}
	if jsonErr := json.Unmarshal(out, &doc); jsonErr != nil {
		t.Fatalf("%v, %v\n%s", err, jsonErr, out)
	}
	if (err == nil) != (doc.Error.Message == "") {
		t.Fatalf("the exit code (%v) does not match the output:\n%s", err, out)
	}
	did = pushed{}
	for _, g := range append(doc.Groups, doc.Error.Groups...) {
		did[g.Group] = g.Action + " " + g.Written
	}
	return did, doc.Error.Message
}

type group struct {
	Group   string `json:"group"`
	Action  string `json:"action"`
	Written string `json:"written"`
}

// expect compares the results of the service's groups.
func (p pushed) expect(t *testing.T, instances, page, ticket string) {
	t.Helper()
	want := pushed{"orders-instances": instances, "orders-slo-page": page, "orders-slo-ticket": ticket}
	if fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", p, want)
	}
}

// copied returns a copy of examples/orders that a test may change.
func copied(t *testing.T) (service string) {
	t.Helper()
	service = t.TempDir()
	if err := os.CopyFS(service, os.DirFS(filepath.Join("..", "..", "examples", "orders"))); err != nil {
		t.Fatal(err)
	}
	return service
}

func change(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s does not contain %q", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The first push writes all groups, the second one none, and later ones only
// groups that differ.
func pushWritesWhatDiffers(t *testing.T, p programs) {
	t.Helper()
	_, command, limit := readme(t)
	s, service := start(t, p.mimir, limit), copied(t)
	must := func(more ...string) pushed {
		t.Helper()
		did, rejection := push(t, p.scaffold, s, service, more...)
		if rejection != "" {
			t.Fatal(rejection)
		}
		return did
	}
	must("--dry-run").expect(t, "created no", "created no", "created no")
	must().expect(t, "created yes", "created yes", "created yes")
	must().expect(t, "unchanged no", "unchanged no", "unchanged no")

	const frequent = 2 // groups evaluated every 15 and 30 s; those of tickets take minutes
	eventually(t, "groups are evaluated", func() string {
		if groups := s.groups(t); evaluated(groups) < frequent {
			return fmt.Sprintf("%v", groups)
		}
		return ""
	})
	loaded := 0
	for name, rules := range s.groups(t) {
		loaded += len(rules)
		for _, r := range rules {
			if r.Health == "err" {
				t.Errorf("%s, %s: %s", name, r.Name, r.LastError)
			}
		}
	}
	if want := countRules(t, service); loaded != want {
		t.Errorf("Mimir has %d rules, the files have %d", loaded, want)
	}

	// mimirtool and a push write the same rules and namespaces.
	if out, err := load(t, s, p.mimirtool, command, service); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	must().expect(t, "unchanged no", "unchanged no", "unchanged no")

	instances := filepath.Join(service, "observability", "rules", "orders.instances.rules.yaml")
	change(t, instances, "for: 1m30s", "for: 2m")
	must().expect(t, "updated yes", "unchanged no", "unchanged no")
	must().expect(t, "unchanged no", "unchanged no", "unchanged no")
	prune(t, must, instances)
}

// prune renames a group. Only a push with --prune removes the old one.
func prune(t *testing.T, must func(more ...string) pushed, instances string) {
	t.Helper()
	change(t, instances, "name: orders-instances", "name: orders-slo-up")
	did := must()
	if did["orders-slo-up"] != "created yes" || did["orders-instances"] != "gone no" {
		t.Errorf("push after renaming a group: %v", did)
	}
	did = must("--prune")
	if did["orders-slo-up"] != "unchanged no" || did["orders-instances"] != "removed yes" {
		t.Errorf("first push with --prune: %v", did)
	}
	did = must("--prune")
	if _, still := did["orders-instances"]; still || len(did) != 3 {
		t.Errorf("second push with --prune: %v", did)
	}
}

// Mimir's default limit rejects the larger groups. The message has the name of the
// limit and a sufficient value: a push with this value succeeds.
func pushExplainsTheDefaultLimit(t *testing.T, p programs) {
	t.Helper()
	service := filepath.Join("..", "..", "examples", "orders")
	did, rejection := push(t, p.scaffold, start(t, p.mimir, ""), service)
	did.expect(t, "created yes", "created no", "created no")
	const name = "ruler_max_rules_per_rule_group to at least "
	_, rest, found := strings.Cut(rejection, name)
	if !found || !strings.Contains(rejection, "\nWritten: orders-instances.\nNot written: orders-slo-page, orders-slo-ticket.") {
		t.Fatalf("the message does not contain the limit, or the groups that were written: %s", rejection)
	}
	sufficient, _, _ := strings.Cut(rest, ",")
	did, rejection = push(t, p.scaffold, start(t, p.mimir, "ruler_max_rules_per_rule_group: "+sufficient), service)
	if rejection != "" {
		t.Error(rejection)
	}
	did.expect(t, "created yes", "created yes", "created yes")
}
