package backends

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

// row is the README's table row for Mimir.
var row = regexp.MustCompile("(?m)^\\| Mimir \\| `scaffold (slo push [^`]+)` .*`(mimirtool [^`]+)`.*`(ruler_max_rules_per_rule_group)` \\(20\\) to at least (\\d+)")

// readme returns the commands and the limit in the README.
func readme(t *testing.T) (push, command, limit string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := row.FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("no row of the README matches %s", row)
	}
	return found[1], found[2], found[3] + ": " + found[4]
}

// load runs the command of mimirtool in the directory of a service.
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

// groups returns the rules of the ruler by group.
func (s server) groups(t *testing.T) map[string][]rule {
	t.Helper()
	status, body, err := get(t.Context(), s.url+"/prometheus/api/v1/rules")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, body, err)
	}
	var response struct {
		Data struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	all := map[string][]rule{}
	for _, g := range response.Data.Groups {
		all[g.Name] = g.Rules
	}
	return all
}

// countRules counts the rules in the files of a service.
func countRules(t *testing.T, service string) int {
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

// programs has the paths of the programs. They are compiled once for all tests:
// linking Mimir takes about ten seconds.
type programs struct{ scaffold, mimir, mimirtool, prometheus, thanos string }

func TestBackends(t *testing.T) {
	t.Parallel()
	p := programs{
		scaffold:   build(t, "../..", "./cmd/scaffold"),
		mimir:      build(t, ".", "github.com/grafana/mimir/cmd/mimir"),
		mimirtool:  build(t, ".", "github.com/grafana/mimir/cmd/mimirtool"),
		prometheus: build(t, "../conformance", "github.com/prometheus/prometheus/cmd/prometheus", "-tags=remove_all_sd"),
		thanos:     build(t, "../thanos", "github.com/thanos-io/thanos/cmd/thanos", "-tags=slicelabels"), // Thanos crashes without it
	}
	for name, test := range map[string]func(*testing.T, programs){
		"Mimir evaluates the rules":             evaluatesTheRules,
		"the default limit is too low":          defaultLimitIsTooLow,
		"push writes only groups that differ":   pushWritesWhatDiffers,
		"push reports the limit that is needed": pushExplainsTheDefaultLimit,
		"dashboards are drawn from Mimir":       rendersFromMimir,
		"dashboards are drawn from Prometheus":  rendersFromPrometheus,
		"dashboards are drawn from Thanos":      rendersFromThanos,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// The README's mimirtool command loads all rules. Mimir's ruler evaluates them,
// and its query engine, which is not that of Prometheus, accepts all queries.
func evaluatesTheRules(t *testing.T, p programs) {
	t.Helper()
	_, command, limit := readme(t)
	s := start(t, p.mimir, limit)
	service := filepath.Join("..", "..", "examples", "orders")
	if out, err := load(t, s, p.mimirtool, command, service); err != nil {
		t.Fatalf("%s\n%v\n%s", command, err, out)
	}

	const frequent = 2 // groups evaluated every 15 and 30 s; those of tickets take minutes
	eventually(t, "groups are evaluated", func() string {
		if groups := s.groups(t); evaluated(groups) < frequent {
			return fmt.Sprintf("%v", groups)
		}
		return ""
	})
	loaded := 0
	now := time.Now()
	for name, rules := range s.groups(t) {
		loaded += len(rules)
		for _, r := range rules {
			if r.Health == "err" {
				t.Errorf("%s, %s: %s", name, r.Name, r.LastError)
			}
			if problem := s.query(t.Context(), r.Query, now); problem != "" {
				t.Errorf("%s, %s: %s", name, r.Name, problem)
			}
		}
	}
	if want := countRules(t, service); loaded != want {
		t.Errorf("Mimir has %d rules, the files have %d", loaded, want)
	}
	// The query engine rejects invalid queries.
	if s.query(t.Context(), "rate(up)", now) == "" {
		t.Error("Mimir accepts the invalid query rate(up)")
	}
}

// evaluated counts the groups whose rules were all evaluated.
func evaluated(groups map[string][]rule) int {
	n := 0
	for rules := range maps.Values(groups) {
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.Health == "unknown" }) {
			n++
		}
	}
	return n
}

// Mimir's default limit rejects the file with the ticket alerts, so the README has
// to name the limit.
func defaultLimitIsTooLow(t *testing.T, p programs) {
	t.Helper()
	_, command, limit := readme(t)
	s := start(t, p.mimir, "")
	out, err := load(t, s, p.mimirtool, command, filepath.Join("..", "..", "examples", "orders"))
	if err == nil || !strings.Contains(out, "per-user rules per rule group limit (limit: 20 ") {
		t.Errorf("want a rejection by the default limit, since the README says to set %s: %v\n%s", limit, err, out)
	}
	_, defaults, err := get(t.Context(), s.url+"/config")
	if err != nil || !strings.Contains(string(defaults), "ruler_max_rule_groups_per_tenant: 70\n") {
		t.Errorf("the default limit is not 70 groups per tenant, as in the README: %v", err)
	}
}
