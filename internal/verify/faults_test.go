package verify

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Only the binary of a check has fault injection, and no production build mentions its tag.
func TestProductionBuildHasNoFaultInjection(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	for tags, want := range map[string]bool{"": false, faultTag: true} {
		binary := filepath.Join(t.TempDir(), "minimal")
		cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", binary, "./cmd/minimal")
		cmd.Dir = "../../examples/minimal"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		code, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(code, []byte(faultHeader)); got != want {
			t.Errorf("with the tags %q the switch is in the binary: %v", tags, got)
		}
	}
	for _, file := range []string{"Dockerfile", "Makefile", "observability/stack/compose.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../examples/orders", file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), faultTag) {
			t.Errorf("%s builds with the fault switch", file)
		}
	}
}
