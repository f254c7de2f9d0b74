package mimir

import (
	"fmt"
	"strings"
	"testing"
)

func one(t *testing.T, src string) Group {
	t.Helper()
	all, err := Read([]byte("groups:\n- "+src), "space")
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %d groups, %v", src, len(all), err)
	}
	return all[0]
}

func TestEqualComparesTheMeaning(t *testing.T) {
	t.Parallel()
	const base = `{name: a, interval: 30s, rules: [{alert: A, expr: 'sum(rate(b[5m]))', for: 90s, labels: {for: 60s, code: 500}}]}`
	for name, tc := range map[string]struct {
		other string
		equal bool
	}{
		"the same":             {base, true},
		"a duration":           {strings.Replace(base, "90s", "1m30s", 1), true},
		"a query's spaces":     {strings.Replace(base, "sum(rate(b[5m]))", "sum ( rate(b[300s]) )", 1), true},
		"a quoted number":      {strings.Replace(base, "500", `"500"`, 1), true},
		"what is empty":        {strings.Replace(base, "interval", "query_offset: 0s, limit: 0, labels: {}, interval", 1), true},
		"another duration":     {strings.Replace(base, "90s", "91s", 1), false},
		"another interval":     {strings.Replace(base, "30s", "31s", 1), false},
		"another query":        {strings.Replace(base, "sum(", "max(", 1), false},
		"a label is text":      {strings.Replace(base, "for: 60s", "for: 1m", 1), false},
		"another label":        {strings.Replace(base, "500", "501", 1), false},
		"an offset":            {strings.Replace(base, "interval", "query_offset: 15s, interval", 1), false},
		"a key of the future":  {strings.Replace(base, "interval", "new_key: x, interval", 1), false},
		"one more rule":        {strings.Replace(base, "rules: [", "rules: [{record: b, expr: c}, ", 1), false},
		"a label of the group": {strings.Replace(base, "interval", "labels: {a: b}, interval", 1), false},
		"an invalid query":     {strings.Replace(base, "sum(", "sum((", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := one(t, base).Equal(one(t, tc.other)); got != tc.equal {
				t.Errorf("got %t, want %t", got, tc.equal)
			}
		})
	}
}

func TestAliasesOfAGroupAreReplaced(t *testing.T) {
	t.Parallel()
	src := "groups:\n- {name: a, labels: &l {team: x}}\n- name: b # why\n  labels: *l\n"
	all, err := Read([]byte(src), "space")
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	got, err := all[1].YAML()
	if want := "name: b\nlabels: {team: x}\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// growing returns a document in which each list has ten aliases of the previous one.
func growing() string {
	lines := []string{"a0: &a0 []"}
	for i := range 9 {
		lines = append(lines, fmt.Sprintf("a%d: &a%d [%s*a%d]", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i))
	}
	return strings.Join(lines, "\n")
}

func TestInvalidResponsesAreRejected(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":                         "not YAML with namespaces",
		"<html>":                   "not YAML with namespaces",
		"[]":                       "not YAML with namespaces",
		"a: {":                     "not YAML: yaml: line 1: did not find expected node content",
		"a: b":                     `namespace "a": groups are not a list`,
		"a: [{}]":                  `namespace "a": a group without a name`,
		"a: [b]":                   `namespace "a": a group without a name`,
		"a: &x [{name: b, c: *x}]": "more than 50 levels deep; write the rules without aliases",
		strings.Repeat("[", 60) + strings.Repeat("]", 60): "more than 50 levels deep; write the rules without aliases",
		growing(): "more than 1048576 values including aliases; split the file",
	} {
		if _, err := parseNamespaces([]byte(src)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", src, err, want)
		}
	}
}

// FuzzParseNamespaces checks that encoded groups have the same meaning.
func FuzzParseNamespaces(f *testing.F) {
	f.Add("a:\n- name: b\n  interval: 30s\n  rules:\n  - {record: c, expr: 'd ', labels: {e: 5m}}\n")
	f.Add("{}")
	f.Add("a: &x [{name: b, c: *x}]")
	f.Add("a: [{name: b, rules: [x, [y], {for: 1m, expr: '('}]}]")
	f.Fuzz(func(t *testing.T, src string) {
		all, err := parseNamespaces([]byte(src))
		if err != nil {
			return
		}
		for _, groups := range all {
			for _, g := range groups {
				text, err := g.YAML()
				if err != nil {
					t.Fatalf("%s: %v", g.Name, err)
				}
				root, err := document(text)
				if err != nil {
					t.Fatalf("%s: %v\n%s", g.Name, err, text)
				}
				again := Group{Name: g.Name, body: root}
				if !g.Equal(again) || !again.Equal(g) {
					t.Fatalf("%q changed:\n%s", src, text)
				}
			}
		}
	})
}
