package spec_test

import (
	"go/token"
	"regexp"
	"testing"

	"github.com/observability-first/scaffold/templates/spec"
)

func TestNounForms(t *testing.T) {
	t.Parallel()
	type forms struct{ pkg, exported, local, snake, text, article string }
	for noun, want := range map[spec.Noun]forms{
		"order":          {"order", "Order", "order", "order", "order", "an"},
		"purchase-order": {"purchaseorder", "PurchaseOrder", "purchaseOrder", "purchase_order", "purchase order", "a"},
		"v2-item":        {"v2item", "V2Item", "v2Item", "v2_item", "v2 item", "a"},
		"user":           {"user", "User", "user", "user", "user", "an"},
	} {
		got := forms{noun.Package(), noun.Exported(), noun.Local(), noun.Snake(), noun.Text(), noun.Article()}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", noun, got, want)
		}
	}
}

func TestResourceIsDerivedFromTheName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"orders":        {"order", "orders"},
		"categories":    {"category", "categories"},
		"boxes":         {"box", "boxes"},
		"classes":       {"class", "classes"},
		"buses":         {"buse", "buses"}, // regular rules only; resource overrides
		"status":        {"status", "statuses"},
		"checkout":      {"checkout", "checkouts"},
		"order-service": {"order", "orders"},
		"payments-api":  {"payment", "payments"},
		"day":           {"day", "days"},
		"gas":           {"gas", "gases"},
		"line-items":    {"line-item", "line-items"},
		"api":           {"record", "records"}, // reserved
		"errors":        {"record", "records"},
		"types":         {"record", "records"},
	} {
		s, err := spec.New(spec.Choices{Name: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := [2]string{s.Resource, s.Plural}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestServiceNames(t *testing.T) {
	t.Parallel()
	s := create(t, spec.Defaults{}, spec.Choices{Name: "line-items", Resource: "line", Plural: "lines"})
	for _, tt := range []struct{ name, got, want string }{
		{"binary", s.Binary(), "line-items"},
		{"environment", s.EnvPrefix(), "LINE_ITEMS_"},
		{"alerts", s.AlertPrefix(), "LineItems"},
		{"singular", s.One().Exported(), "Line"},
		{"plural", s.Many().Exported(), "Lines"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"orders", "a", "a-b", "ss", "ies", "s", "-", "func", "\u65e5\u672c", "xes", "con", "a--b", "is", "y"} {
		f.Add(name)
	}
	alert := regexp.MustCompile(`^[A-Z][a-zA-Z0-9]*$`)
	environment := regexp.MustCompile(`^[A-Z][A-Z0-9_]*_$`)
	f.Fuzz(func(t *testing.T, name string) {
		s, err := spec.New(spec.Choices{Name: name})
		if (err == nil) != (spec.CheckName(name) == nil) {
			t.Fatalf("New: %v, CheckName: %v", err, spec.CheckName(name))
		}
		if err != nil {
			return
		}
		if !alert.MatchString(s.AlertPrefix()) || !environment.MatchString(s.EnvPrefix()) {
			t.Errorf("%s: alerts %s, environment %s", name, s.AlertPrefix(), s.EnvPrefix())
		}
		for _, n := range []spec.Noun{s.One(), s.Many()} {
			if !token.IsIdentifier(n.Package()) || !token.IsIdentifier(n.Local()) || !token.IsExported(n.Exported()) {
				t.Errorf("%s: %s gives no identifiers", name, n)
			}
		}
		if s.One().Exported() == s.Many().Exported() {
			t.Errorf("%s: one name for both numbers: %s", name, s.One())
		}
		parse(t, string(s.YAML()))
	})
}
