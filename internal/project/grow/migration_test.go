package grow_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

func TestMigrations(t *testing.T) {
	t.Parallel()
	s := orders(t, nil)
	c, err := s.Migration("add-shipped-at")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/migration.txt", listing(t, s, c))
}

func TestMigrationNumbers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ files, want string }{
		"the first one":               {"", "migrations/0001_next.sql"},
		"the next one":                {"0001_a.sql 0002_b.sql notes.md", "migrations/0003_next.sql"},
		"the digits of the first one": {"01_a.sql", "migrations/02_next.sql"},
		"more digits":                 {"9_a.sql", "migrations/10_next.sql"},
		"nine and ten":                {"9_a.sql 10_b.sql", "migrations/11_next.sql"},
		"times have gaps":             {"20260101120000_a.sql 20260102120000_b.sql", "migrations/20260102120001_next.sql"},
		"a time":                      {"20260101120000_a.sql", "migrations/20260101120001_next.sql"},
		"a gap":                       {"0001_a.sql 0003_b.sql", "orders/migrations/0003_b.sql: there is no migration 2 before it; number migrations without gaps"},
		"a number twice":              {"0001_a.sql 0001_b.sql", "orders/migrations/0001_b.sql: orders/migrations/0001_a.sql has the number 1, too; give one of them the next number"},
		"a name twice":                {"0001_next.sql", "orders/migrations/0001_next.sql: it has this name; write another one"},
		"a large number":              {"99999999999999999999_a.sql", "orders/migrations/99999999999999999999_a.sql: the number is too large"},
		"two errors":                  {"0001_a.sql 0001_b.sql 0004_c.sql", "0001_b.sql: orders/migrations/0001_a.sql has the number 1, too; give one of them the next number\norders/migrations/0004_c.sql: there is no migration 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := orders(t, nil)
			files := fstest.MapFS{}
			for file := range strings.FieldsSeq(tc.files) {
				files["migrations/"+file] = &fstest.MapFile{}
			}
			s.Files = files
			c, err := s.Migration("next")
			switch {
			case err != nil && strings.Contains(err.Error(), tc.want):
			case err != nil || c.Files[0].Path != tc.want:
				t.Errorf("got %v and the error %v, want %s", c.Files, err, tc.want)
			}
		})
	}
}

func TestMigrationNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Add", "add--x", "add x", "../x", "1a", "add-", "é", strings.Repeat("a", 101)} {
		if _, err := orders(t, nil).Migration(name); err == nil || !strings.Contains(err.Error(), "is not a name for a migration") {
			t.Errorf("%q: got the error %v", name, err)
		}
	}
}

func TestMigrationsNeedAComponent(t *testing.T) {
	t.Parallel()
	s := orders(t, nil)
	s.Spec.Components.Postgres = nil
	s.Files = os.DirFS(t.TempDir())
	_, err := s.Migration("next")
	if want := "the service has no component with migrations; run scaffold add postgres"; err == nil || err.Error() != want {
		t.Errorf("got the error %v, want %s", err, want)
	}
}
