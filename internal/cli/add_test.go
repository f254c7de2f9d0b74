package cli_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A service passes its tests with a new migration and a new objective, and its tests apply the migration.
func TestEndToEndAddMigrationAndObjective(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	s := newService(t, "shop", "--with", "postgres")
	s.run("add", "migration", "add-shipped-at")
	s.run("add", "slo", "reads", "--objective", "99.9", "--route", "/v1/gadgets/{id}", "--method", "GET")
	s.passes()

	s.edit("migrations/0002_add_shipped_at.sql", "-- TODO: the change, such as ", "")
	s.passes()
	s.edit("migrations/0002_add_shipped_at.sql", "ALTER TABLE gadgets", "ALTER TABLE absent")
	command := exec.CommandContext(t.Context(), "go", "test", "./internal/store")
	command.Dir = s.dir
	if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), `0002_add_shipped_at.sql: ERROR: relation "absent" does not exist`) {
		t.Errorf("the tests do not apply the migration: %v\n%s", err, out)
	}
}

// An objective on an unknown route is reported at its line.
func TestEndToEndAddObjectiveOnUnknownRoute(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	status, out, errs := s.scaffold("add", "slo", "reads", "--objective", "99", "--route", "/v1/shop/{id}", "--dir", s.dir)
	if status != 3 || !strings.Contains(out, "scaffold.yaml:8:") || !strings.Contains(out, "/v1/shop/{id}") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
