package mimir

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scaffold compiles the command line of the root module.
func scaffold(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "scaffold")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/scaffold")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// pushed is the result of a push for each group, as "action written".
type pushed map[string]string

// push types the README's command in the directory of a service. What was refused
// comes back as text.
func push(t *testing.T, bin string, s server, service string, more ...string) (did pushed, refusal string) {
	t.Helper()
	command, _, _ := advice(t)
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
	if wrong := json.Unmarshal(out, &doc); wrong != nil {
		t.Fatalf("%v, %v\n%s", err, wrong, out)
	}
	if (err == nil) != (doc.Error.Message == "") {
		t.Fatalf("%v, but it says\n%s", err, out)
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

// expect compares what was done to the groups of the service.
func (p pushed) expect(t *testing.T, alive, page, ticket string) {
	t.Helper()
	want := pushed{"orders-instances": alive, "orders-slo-page": page, "orders-slo-ticket": ticket}
	if fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", p, want)
	}
}

// copied is a copy of the example's rules that a test may change.
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
		t.Fatalf("%s no longer holds %q", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A push brings every group to a real ruler, again changes nothing, and writes
// later only what differs.
func pushWritesWhatDiffers(t *testing.T, p programs) {
	t.Helper()
	_, command, limit := advice(t)
	s, service := start(t, p.mimir, limit), copied(t)
	must := func(more ...string) pushed {
		t.Helper()
		did, refusal := push(t, p.scaffold, s, service, more...)
		if refusal != "" {
			t.Fatal(refusal)
		}
		return did
	}
	must("--dry-run").expect(t, "created no", "created no", "created no")
	must().expect(t, "created yes", "created yes", "created yes")
	must().expect(t, "unchanged no", "unchanged no", "unchanged no")

	const frequent = 2 // groups that evaluate every 15 and 30 s; tickets take minutes
	eventually(t, "groups are evaluated", func() string {
		if groups := s.groups(t); evaluated(groups) < frequent {
			return fmt.Sprintf("%v", groups)
		}
		return ""
	})
	taken := 0
	for name, rules := range s.groups(t) {
		taken += len(rules)
		for _, r := range rules {
			if r.Health == "err" {
				t.Errorf("%s, %s: %s", name, r.Name, r.LastError)
			}
		}
	}
	if want := written(t, service); taken != want {
		t.Errorf("Mimir has %d rules, the files %d", taken, want)
	}

	// What mimirtool wrote is the same to a push: namespaces and all.
	if out, err := load(t, s, p.mimirtool, command, service); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	must().expect(t, "unchanged no", "unchanged no", "unchanged no")

	alive := filepath.Join(service, "observability", "rules", "orders.instances.rules.yaml")
	change(t, alive, "for: 1m30s", "for: 2m")
	must().expect(t, "updated yes", "unchanged no", "unchanged no")
	must().expect(t, "unchanged no", "unchanged no", "unchanged no")
	prune(t, must, alive)
}

// prune gives a group another name: the old one stays until it is asked for.
func prune(t *testing.T, must func(more ...string) pushed, alive string) {
	t.Helper()
	change(t, alive, "name: orders-instances", "name: orders-slo-up")
	did := must()
	if did["orders-slo-up"] != "created yes" || did["orders-instances"] != "gone no" {
		t.Errorf("%v", did)
	}
	did = must("--prune")
	if did["orders-slo-up"] != "unchanged no" || did["orders-instances"] != "removed yes" {
		t.Errorf("%v", did)
	}
	did = must("--prune")
	if _, still := did["orders-instances"]; still || len(did) != 3 {
		t.Errorf("%v", did)
	}
}

// Mimir as it comes refuses the larger groups. The message has to name the limit
// and a number that is enough: with just that number the push works.
func pushExplainsTheDefaultLimit(t *testing.T, p programs) {
	t.Helper()
	service := filepath.Join("..", "..", "examples", "orders")
	did, refusal := push(t, p.scaffold, start(t, p.mimir, ""), service)
	did.expect(t, "created yes", "created no", "created no")
	const name = "ruler_max_rules_per_rule_group to at least "
	_, rest, found := strings.Cut(refusal, name)
	if !found || !strings.Contains(refusal, "\nWritten: orders-instances.\nNot written: orders-slo-page, orders-slo-ticket.") {
		t.Fatalf("%s", refusal)
	}
	enough, _, _ := strings.Cut(rest, ",")
	did, refusal = push(t, p.scaffold, start(t, p.mimir, "ruler_max_rules_per_rule_group: "+enough), service)
	if refusal != "" {
		t.Error(refusal)
	}
	did.expect(t, "created yes", "created yes", "created yes")
}
