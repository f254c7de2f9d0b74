package spec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

func create(t *testing.T, d spec.Defaults, c spec.Choices) spec.Service {
	t.Helper()
	s, err := d.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const twoSLOs = `slos:
  - {name: availability, objective: 99.9, window: 30d, indicator: {availability: {}}}
  - {name: latency, objective: 99, window: 30d, indicator: {latency: {threshold: 200ms}}}
`

func TestNewWritesChoicesAndValuesToReview(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		choices spec.Choices
		want    string
	}{
		{"only the name", spec.Choices{Name: "orders"}, `apiVersion: scaffold/v1
service: orders
owner: team-orders
module: example.com/orders
` + twoSLOs},
		{"all choices", spec.Choices{
			Name: "orders", Description: "Takes orders.", Owner: "team-checkout", Module: "github.com/acme/orders",
			Pattern: "service", Resource: "basket", Plural: "baskets", Components: []string{"postgres"}, Directory: "services/orders",
		}, `apiVersion: scaffold/v1
service: orders
description: Takes orders.
owner: team-checkout
module: github.com/acme/orders
pattern: service
resource: basket
plural: baskets
components:
  postgres:
    connections: 97 # max_connections of PostgreSQL (100) less 3 reserved for superusers
deploy:
  directory: services/orders
` + twoSLOs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := string(create(t, spec.Defaults{}, tt.choices).YAML())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewReportsEachInvalidChoice(t *testing.T) {
	t.Parallel()
	_, err := spec.New(spec.Choices{
		Name: "../x", Owner: "\x00", Module: "nodots", Pattern: "zebra", Resource: "func", Components: []string{"postgres", "redis", "postgre"},
	})
	if err == nil {
		t.Fatal("the choices were accepted")
	}
	want := []string{
		`service: "../x" is a path; write a name such as orders`,
		"owner: the text contains the control character U+0000; remove it",
		`module: "nodots" is not a module path: missing dot in first path element; write one such as github.com/acme/orders`,
		`pattern: unknown pattern "zebra"; known: ` + strings.Join(spec.Patterns(), ", "),
		`resource: "func" is a Go keyword; choose another noun`,
		`components[1]: unknown component "redis"; known: ` + strings.Join(components.Names(), ", "),
		`components[2]: unknown component "postgre"; did you mean "postgres"?`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// hostile returns texts with a special meaning in a format that we write.
func hostile() []string {
	return []string{
		`"; drop table orders; --`, "it's `quoted` \"twice\"", "a\nb: c\n- d\n", "{{ .Service }} {{ range }}", "${HOME} $(id) %s %d",
		"a: b # c", "- a", "? a", "| a", "> a", "& a", "*a", "!a", "%a", "@a", "~", "null", "true", "1e3", "0x10", "  spaces  ", "\ttab",
		`up{job="a"} or vector(1)`, `\n \x41 \\`, "*/ // <!-- -->", "</script>", "tr\u00e4nen \u65e5\u672c \U0001f642", "a\u2028b\u2029c\u00a0d\u200be\ufefff", "---", "...", "=", "<<", "#", ":",
	}
}

func TestHostileTextIsUnchanged(t *testing.T) {
	t.Parallel()
	for _, text := range hostile() {
		owner := text
		if spec.CheckOwner(text) != nil {
			owner = "team-orders" // an owner is one printable line
		}
		s := create(t, spec.Defaults{}, spec.Choices{Name: "orders", Description: text, Owner: owner})
		again := parse(t, string(s.YAML()))
		if again.Description != text || again.Owner != owner {
			t.Errorf("got %q and %q, want %q\n%s", again.Description, again.Owner, text, s.YAML())
		}
		var generic map[string]any
		if err := yaml.Unmarshal(s.YAML(), &generic); err != nil || generic["description"] != text {
			t.Errorf("another reader got %q (%v), want %q", generic["description"], err, text)
		}
		if effective := parse(t, string(s.EffectiveYAML())); effective.Owner != owner {
			t.Errorf("effective: got %q, want %q", effective.Owner, owner)
		}
	}
}

func TestNewSpecParsesToTheSameService(t *testing.T) {
	t.Parallel()
	for _, c := range []spec.Choices{
		{Name: "orders"},
		{Name: "a1-b2", Components: []string{"postgres"}, Resource: "user", Plural: "users"},
		{Name: "api"},
	} {
		s := create(t, spec.Defaults{}, c)
		again := parse(t, string(s.YAML()))
		if diff := cmp.Diff(s, again, cmpopts.IgnoreUnexported(spec.Service{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-new +parsed):\n%s", diff)
		}
		if diff := cmp.Diff(string(s.YAML()), string(again.YAML())); diff != "" {
			t.Errorf("writing twice differs:\n%s", diff)
		}
	}
}
