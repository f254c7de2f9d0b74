package cli_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/cli"
)

// Routes and migrations that are added to a service build and pass its tests and checks.
func TestEndToEndAddRoute(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	s := newService(t, "shop", "--with", "postgres")
	s.run("add", "route", "POST /v1/gadgets/{id}/ship")
	s.run("add", "route", "GET", "/v1/gadgets/{id}/parts/{part_no}")
	if out := s.run("add", "migration", "add-shipped-at"); !strings.Contains(out, "create   migrations/0002_add_shipped_at.sql\n") {
		t.Errorf("add migration wrote something else:\n%s", out)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./internal/api"}} {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = s.dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	s.check(cli.ExitDone)
	for _, route := range []string{"POST /v1/gadgets/{id}/ship", "GET /v1/gadgets/{id}/parts/{part_no}"} {
		if !strings.Contains(s.read("observability/telemetry.json"), route) {
			t.Errorf("observability/telemetry.json has no %s", route)
		}
	}

	before := s.files()
	for want, route := range map[string]string{"exists": "POST /v1/gadgets/{id}/ship", "with other names": "GET /v1/gadgets/{gadget}"} {
		if status, _, errs := s.scaffold("add", "route", route, "--dir", s.dir); status != cli.ExitError || !strings.Contains(errs, want) {
			t.Errorf("add route %s: status %d, %s", route, status, errs)
		}
	}
	s.run("add", "route", "GET /v1/summary", "--dry-run")
	s.equal("routes that are not added", before)
}
