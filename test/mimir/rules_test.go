package mimir

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// row is the README's line on Mimir.
var row = regexp.MustCompile("(?m)^\\| Mimir \\| `scaffold (slo push [^`]+)` .*`(mimirtool [^`]+)`.*`(ruler_max_rules_per_rule_group)` \\(20\\) to at least (\\d+)")

// advice is what the README tells those who run Mimir.
func advice(t *testing.T) (push, command, limit string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := row.FindStringSubmatch(string(text))
	if found == nil {
		t.Fatal("the README no longer says how rules reach Mimir, and which limit is too low")
	}
	return found[1], found[2], found[3] + ": " + found[4]
}

// load types the command in the directory of a service.
func load(t *testing.T, s server, mimirtool, command, service string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", command)
	cmd.Dir = service
	cmd.Env = []string{"PATH=" + filepath.Dir(mimirtool) + ":" + os.Getenv("PATH"), "MIMIR_ADDRESS=" + s.url, "MIMIR_TENANT_ID=anonymous"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// rule is the status of one rule in Mimir's ruler.
type rule struct {
	Name      string `json:"name"`
	Query     string `json:"query"`
	Health    string `json:"health"`
	LastError string `json:"lastError"`
}

// groups asks the ruler what it evaluates.
func (s server) groups(t *testing.T) map[string][]rule {
	t.Helper()
	status, body, err := get(t.Context(), s.url+"/prometheus/api/v1/rules")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, body, err)
	}
	var answer struct {
		Data struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	all := map[string][]rule{}
	for _, g := range answer.Data.Groups {
		all[g.Name] = g.Rules
	}
	return all
}

// written counts the rules in the files of a service.
func written(t *testing.T, service string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(service, "observability", "rules", "*.rules.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules in %s (%v)", service, err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(text), "\n  - record: ") + strings.Count(string(text), "\n  - alert: ")
	}
	return n
}

// programs are compiled once for all tests: a link of Mimir alone takes about ten
// seconds.
type programs struct{ mimir, mimirtool, scaffold string }

func TestMimir(t *testing.T) {
	t.Parallel()
	p := programs{build(t, "mimir"), build(t, "mimirtool"), scaffold(t)}
	for name, test := range map[string]func(*testing.T, programs){
		"takes the rules":              takesTheRules,
		"its default limit is too low": defaultLimitIsTooLow,
		"a push writes what differs":   pushWritesWhatDiffers,
		"a push explains a limit":      pushExplainsTheDefaultLimit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// The command of the README brings every rule to Mimir, whose ruler evaluates
// them, and whose engine, which is not Prometheus', understands each query.
func takesTheRules(t *testing.T, p programs) {
	t.Helper()
	_, command, limit := advice(t)
	s := start(t, p.mimir, limit)
	service := filepath.Join("..", "..", "examples", "orders")
	if out, err := load(t, s, p.mimirtool, command, service); err != nil {
		t.Fatalf("%s\n%v\n%s", command, err, out)
	}

	const frequent = 2 // groups that evaluate every 15 and 30 s; tickets take minutes
	eventually(t, "groups are evaluated", func() string {
		if groups := s.groups(t); evaluated(groups) < frequent {
			return fmt.Sprintf("%v", groups)
		}
		return ""
	})
	taken := 0
	now := time.Now()
	for name, rules := range s.groups(t) {
		taken += len(rules)
		for _, r := range rules {
			if r.Health == "err" {
				t.Errorf("%s, %s: %s", name, r.Name, r.LastError)
			}
			if complaint := s.query(t.Context(), r.Query, now); complaint != "" {
				t.Errorf("%s, %s: %s", name, r.Name, complaint)
			}
		}
	}
	if want := written(t, service); taken != want {
		t.Errorf("Mimir has %d rules, the files %d", taken, want)
	}
	// The queries were judged by an engine that can refuse.
	if s.query(t.Context(), "rate(up)", now) == "" {
		t.Error("Mimir takes a rate of an instant vector")
	}
}

// evaluated counts the groups of which every rule was evaluated.
func evaluated(groups map[string][]rule) int {
	n := 0
	for rules := range maps.Values(groups) {
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.Health == "unknown" }) {
			n++
		}
	}
	return n
}

// Mimir as it comes refuses the file of the tickets: the README has to name
// the limit for as long as this is so.
func defaultLimitIsTooLow(t *testing.T, p programs) {
	t.Helper()
	_, command, limit := advice(t)
	s := start(t, p.mimir, "")
	out, err := load(t, s, p.mimirtool, command, filepath.Join("..", "..", "examples", "orders"))
	if err == nil || !strings.Contains(out, "per-user rules per rule group limit (limit: 20 ") {
		t.Errorf("%v\n%s\nthe README says to raise %s; Mimir no longer wants it", err, out, limit)
	}
	_, defaults, err := get(t.Context(), s.url+"/config")
	if err != nil || !strings.Contains(string(defaults), "ruler_max_rule_groups_per_tenant: 70\n") {
		t.Errorf("the README says that Mimir takes 70 groups of a tenant; %v", err)
	}
}
