package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

const transcripts = "../../docs/transcripts"

// docs/transcripts shows what users see, so that it is reviewed as text in each
// change. Those of verify and make run are written by their own tests.
func TestEndToEndTranscripts(t *testing.T) {
	t.Parallel()
	bin := filepath.Dir(built(t))
	parent := t.TempDir()
	if err := os.WriteFile(filepath.Join(parent, "payments.rules.yaml"), []byte(paymentRules), 0o600); err != nil {
		t.Fatal(err)
	}
	home := shell{t: t, bin: bin, dir: parent}
	golden.Compare(t, filepath.Join(transcripts, "help.txt"), home.transcript(helpCommands(home)...))
	golden.Compare(t, filepath.Join(transcripts, "new.txt"), home.transcript("scaffold new orders --with postgres"))
	golden.Compare(t, filepath.Join(transcripts, "lint.txt"), home.transcript("cat payments.rules.yaml", "scaffold lint payments.rules.yaml"))
	orders := shell{t: t, bin: bin, dir: filepath.Join(parent, "orders")}
	for name, file := range map[string]string{ // links, so that the texts exist once
		"readme.txt": "README.md", "runbook-availability.txt": "observability/runbooks/availability.md", "runbook-instances.txt": "observability/runbooks/instances.md",
	} {
		if to, err := os.Readlink(filepath.Join(transcripts, name)); err != nil || to != "../../examples/orders/"+file {
			t.Errorf("%s links to %q, %v", name, to, err)
		}
	}
	golden.Compare(t, filepath.Join(transcripts, "check.txt"), orders.transcript("scaffold check", "sed -i 's/99.9/0.999/' scaffold.yaml", "scaffold check"))
}

// paymentRules has mistakes that Prometheus loads without a word.
const paymentRules = `groups:
- name: payments
  rules:
  - record: job:payment_errors:ratio5m
    expr: sum by (job) (rate(payment_errors_total[5m])) / sum(rate(payments_total[5m]))
  - alert: PaymentsSlow
    expr: histogram_quantile(0.99, sum by (job) (rate(payment_duration_seconds_bucket[5m]))) > 1
    for: 10m
    labels:
      severity: page
`

// helpCommands is --help of the program and of each of its commands.
func helpCommands(s shell) []string {
	all := []string{"scaffold --help"}
	listed := regexp.MustCompile(`(?s)Available Commands:\n(.*?)\n\n`)
	name := regexp.MustCompile(`(?m)^  ([a-z]+) `)
	for i := 0; i < len(all); i++ {
		out, _ := s.run(all[i])
		parent := strings.TrimSuffix(all[i], " --help")
		if list := listed.FindStringSubmatch(out); list != nil && parent != "scaffold completion" {
			for _, m := range name.FindAllStringSubmatch(list[1], -1) {
				if m[1] != "help" {
					all = append(all, parent+" "+m[1]+" --help")
				}
			}
		}
	}
	return all
}

// shell runs commands in a directory with the program on its path.
type shell struct {
	t        *testing.T
	bin, dir string
}

// transcript is the commands with their output, as on a terminal without colors.
func (s shell) transcript(commands ...string) []byte {
	s.t.Helper()
	var b bytes.Buffer
	for i, command := range commands {
		if i > 0 {
			b.WriteString("\n")
		}
		out, status := s.run(command)
		b.WriteString("$ " + command + "\n" + out)
		if status != "" {
			b.WriteString("(" + status + ")\n")
		}
	}
	return b.Bytes()
}

// run returns the output, and the status if it is not 0.
func (s shell) run(command string) (out, status string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", command)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+s.bin+":"+os.Getenv("PATH"), "GOPROXY=off", "GOFLAGS=-mod=mod", "GIT_CEILING_DIRECTORIES="+os.TempDir())
	raw, err := cmd.CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		s.t.Fatalf("%s: %v", command, err)
	}
	if failed {
		status = exit.Error()
	}
	return checkout.ReplaceAllString(string(raw), "../scaffold/runtime"), status
}

// checkout is the path of this repository's runtime from a service.
var checkout = regexp.MustCompile(`(\.\./)+\S*/runtime\b`)
