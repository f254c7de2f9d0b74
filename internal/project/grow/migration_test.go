package grow_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/templates/spec"
)

// service returns a service with files, each with its text.
func service(t *testing.T, files map[string]string, with ...string) grow.Service {
	t.Helper()
	s, err := spec.New(spec.Choices{Name: "orders", Module: "example.com/orders", Components: with})
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return grow.Service{Dir: "shop", Files: dir, Spec: s}
}

func TestMigrationHasTheNextNumber(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files []string
		want  string
	}{
		"after one":                   {[]string{"0001_orders.sql"}, "0002_add_note.sql"},
		"after a migration in Go":     {[]string{"0001_orders.sql", "0002_fill.go", "migrations.go", "README.md"}, "0003_add_note.sql"},
		"with the digits of the last": {[]string{"001_orders.sql"}, "002_add_note.sql"},
		"in an empty directory":       {[]string{"migrations.go"}, "0001_add_note.sql"},
		"with one more digit":         {[]string{"8_a.sql", "9_b.sql"}, "error: shop/migrations/8_a.sql: there is no migration 1 before it"},
		"a gap":                       {[]string{"0001_a.sql", "0003_b.sql"}, "error: shop/migrations/0003_b.sql: there is no migration 2 before it"},
		"a duplicate":                 {[]string{"0001_a.sql", "0001_b.sql"}, "error: shop/migrations/0001_b.sql: duplicate number 1, first in shop/migrations/0001_a.sql"},
		"fewer digits":                {[]string{"0001_a.sql", "0002_b.sql", "01_c.sql"}, "error: shop/migrations/01_c.sql: the number has fewer digits"},
		"no number":                   {[]string{"0001_a.sql", "b.sql"}, "error: shop/migrations/b.sql: no number; name it such as 0002_b.sql"},
		"zero":                        {[]string{"0000_a.sql"}, "error: shop/migrations/0000_a.sql: 0000 is not a number"},
		"too large a number":          {[]string{"99999999999999999999_a.sql"}, "error: shop/migrations/99999999999999999999_a.sql: 99999999999999999999 is not a number"},
		"the name twice":              {[]string{"0001_add_note.sql"}, "error: NAME: shop/migrations/0001_add_note.sql has this name already"},
		"two problems":                {[]string{"0001_a.sql", "0001_b.sql", "0004_c.sql"}, "error: shop/migrations/0001_b.sql: duplicate number 1, first in shop/migrations/0001_a.sql; give the migration that is not applied in production the next number\nshop/migrations/0004_c.sql"},
		"no directory":                {nil, "error: there is no directory shop/migrations; run scaffold generate"},
	} {
		files := map[string]string{}
		for _, f := range tc.files {
			files["migrations/"+f] = ""
		}
		change, err := grow.Migration(service(t, files, "postgres"), "add-note")
		var got string
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = strings.TrimPrefix(change.Files[0].Path, "migrations/")
		}
		if !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestMigrationNamesTheLineToWrite(t *testing.T) {
	t.Parallel()
	change, err := grow.Migration(service(t, map[string]string{"migrations/0001_orders.sql": ""}, "postgres"), "add-note")
	if err != nil {
		t.Fatal(err)
	}
	const next = "Write the change of the schema at shop/migrations/0002_add_note.sql:9. make test applies it."
	if len(change.Next) != 1 || change.Next[0] != next {
		t.Errorf("got %q, want %q", change.Next, next)
	}
	lines := strings.Split(string(change.Files[0].Data), "\n")
	if lines[0] != "-- Add note." || !strings.HasPrefix(lines[8], "-- TODO: the change, such as ALTER TABLE orders ") {
		t.Errorf("got\n%s", change.Files[0].Data)
	}
}

func TestMigrationRejectsNames(t *testing.T) {
	t.Parallel()
	s := service(t, map[string]string{"migrations/0001_orders.sql": ""}, "postgres")
	for _, name := range []string{"", "Add", "add_note", "add--note", "-add", "add-", "../x", "a b", "1-add", "ä", strings.Repeat("a", 61)} {
		if _, err := grow.Migration(s, name); err == nil || !strings.HasPrefix(err.Error(), "NAME: ") {
			t.Errorf("%q: got %v", name, err)
		}
	}
	_, err := grow.Migration(service(t, nil), "add-note")
	if err == nil || err.Error() != "no component of orders has a schema to migrate; add one with: scaffold add postgres" {
		t.Errorf("got %v", err)
	}
}
