package slo_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/slo"
)

const inClusters = `apiVersion: scaffold.slo/v1
service: orders
owner: a
runtime: true
groupBy: [cluster]
replicas: {min: 2, max: 10}
links: {grafana: https://grafana.acme.test}
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 70ms}}}
  - {name: routes, objective: 99, groupBy: [http_route], indicator: {availability: {}}}
  - {name: own, objective: 99, indicator: {ratio: {total: a_total, bad: 'a_total{x="y"}'}}}
`

// All matchers, groupings and links with the environment have the cluster too.
func TestGroupByCluster(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, inClusters)
	lists := regexp.MustCompile(`\b(by|on|group_left) \(([^)]*deployment_environment_name[^)]*)\)`)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			for _, m := range lists.FindAllString(r.Expr, -1) {
				if !strings.Contains(m, "deployment_environment_name, cluster") {
					t.Errorf("%s: %s", r.Name(), m)
				}
			}
			for _, a := range r.Annotations {
				if strings.Contains(a.Value, "deployment_environment_name") && !strings.Contains(a.Value, "$labels.cluster") {
					t.Errorf("%s: annotation %s has no cluster: %s", r.Name(), a.Name, a.Value)
				}
			}
		}
	}
	for line := range strings.SplitSeq(string(rules.Alertmanager()), "\n") {
		if (strings.Contains(line, "equal:") || strings.Contains(line, "group_by:")) && !strings.Contains(line, "cluster") {
			t.Errorf("alertmanager.yaml: %s", line)
		}
	}
}

func TestGroupedObjectivesHaveNoPageRules(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, "apiVersion: scaffold.slo/v1\nservice: shop\nowner: a\nruntime: true\nslos: [{name: routes, objective: 99, groupBy: [http_route], indicator: {availability: {}}}]\n")
	for _, g := range rules.Groups {
		if g.Tier == slo.TierPage {
			t.Errorf("group %s has %d rules", g.Name, len(g.Rules))
		}
	}
}

func TestInvalidGroupBy(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"a-b":                         `a.yaml:5:11: groupBy[0]: "a-b" is not a valid label name`,
		"deployment_environment_name": `a.yaml:5:11: groupBy[0]: is the environment label, which is always included; remove it`,
		"cluster, cluster":            `a.yaml:5:20: groupBy[1]: duplicate label "cluster"`,
		"job":                         `a.yaml:5:11: groupBy[0]: the selector already matches one value of "job"; remove it`,
		"instance":                    `a.yaml:5:11: groupBy[0]: "instance" is reserved for the rules; write a label of a group of instances, such as cluster`,
	} {
		_, err := slo.Parse("a.yaml", []byte(strings.Replace(inClusters, "[cluster]", "["+label+"]", 1)))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v\nwant %s", label, err, want)
		}
	}
}
