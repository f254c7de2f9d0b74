package rulefile_test

import (
	"errors"
	"testing"

	"github.com/observability-first/scaffold/internal/source/rulefile"
)

func TestOtherGroupsAreNotRules(t *testing.T) {
	t.Parallel()
	const (
		grafana = "a.yaml: not a rule file but Grafana alert provisioning, which is not checked"
		none    = `a.yaml: not a rule file: no entry of groups has the key "rules"; add it, or pass another file`
	)
	for _, tc := range []struct{ name, src, want string }{
		{"Grafana alert provisioning", "apiVersion: 1\ngroups:\n- orgId: 1\n  name: g\n  rules: [{uid: x, data: [{model: {expr: up}}]}]\n", grafana},
		{"a group of Grafana with a directory alone", "groups: [{name: g, folder: f, rules: []}]", grafana},
		{"a list of names", "groups: [admins, devs]\ningress: {}\n", none},
		{"a name", "groups: admins", none},
		{"groups with other keys", "groups: [{name: a, members: [b]}]", none},
		{"groups with roles", "groups: [{name: a, roles: [b]}]", none},
		{"an empty list and other keys", "groups: []\nusers: []\n", none},
		{"an empty list and another key that is an alias", "x: &x []\ngroups: *x\n", none},
		{"an empty list", "groups: []", ""},
		{"no list", "groups:", ""},
		{"a name alone", "groups: [{name: g}]", ""},
		{"a name alone and other keys", "groups: [{name: g}]\nusers: []\n", none},
		{"a resource", "kind: PrometheusRule\ngroups: [admins]\n", ""},
		{"a group without rules", "groups: [{name: g, rules: []}]", ""},
		{"one group with rules", "groups: [a, {name: g, rules: []}]", "problem"},
		{"a misspelled key", "groups: [{name: g, rule: []}]", "problem"},
		{"rules below another key", "groups: [{name: g, alerts: [{alert: A, expr: up}]}]", "problem"},
		{"rules without a group", "groups: [{alert: A, expr: up}]", "problem"},
		{"a group without a list", "groups: {name: g, rules: []}", "problem"},
		{"rules of Prometheus in a group with a wrong key", "groups: [{name: g, folder: f, rules: [{alert: A, expr: up}]}]", "problem"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := rulefile.Parse("a.yaml", []byte(tc.src))
			_, isOther := errors.AsType[*rulefile.OtherError](err)
			if want := tc.want == grafana || tc.want == none; isOther != want || isOther && err.Error() != tc.want || (err == nil) != (tc.want == "") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}
