package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// terminal is a factory with a user who answers prompts by flag, and the recorded streams.
type terminal struct {
	Factory
	out, err bytes.Buffer
	asked    [][]string
}

func newTerminal(answers map[string]string) *terminal {
	u := &terminal{}
	u.Factory = Factory{
		Streams: Streams{In: strings.NewReader(""), Out: &u.out, Err: &u.err, Terminal: true},
		Getenv:  func(string) string { return "" },
		Generator: project.Generator{
			Build: project.Build{Version: "v0.5.0", Released: true},
			Render: func(s spec.Service, _ templates.RenderOptions) (templates.Tree, error) {
				return templates.NewTree(templates.File{Path: "go.mod", Mode: 0o644, Owner: templates.Merged, Data: []byte("module " + s.Module + "\n")})
			},
		},
		Prompt: func(_ context.Context, _ Streams, questions []Question) error {
			var flags []string
			for _, q := range questions {
				flags = append(flags, q.Flag)
				answer, ok := answers[q.Flag]
				switch {
				case ok && q.Choices != nil:
					*q.Values = strings.Split(answer, ",")
				case ok:
					*q.Value = answer
				}
			}
			u.asked = append(u.asked, flags)
			return nil
		},
	}
	return u
}

func TestPromptsAreShownOnlyForUnsetFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want [][]string
	}{
		{"no flags", nil, [][]string{{"name"}, {"module", "owner", "resource"}, {"plural", "with", "pipeline"}, {"yes"}}},
		{"name", []string{"shop"}, [][]string{{"module", "owner", "resource"}, {"plural", "with", "pipeline"}, {"yes"}}},
		{"owner", []string{"shop", "--owner", "team-a"}, [][]string{{"module", "resource"}, {"plural", "with", "pipeline"}, {"yes"}}},
		{"empty list of components", []string{"shop", "--with", ""}, [][]string{{"module", "owner", "resource"}, {"plural", "pipeline"}, {"yes"}}},
		{"all flags", []string{"shop", "--module", "example.net/shop", "--owner", "a", "--resource", "order", "--with", "", "--pipeline", "", "--plural", "orders"}, [][]string{{"yes"}}},
		{"dry run has no confirmation", []string{"shop", "--dry-run"}, [][]string{{"module", "owner", "resource"}, {"plural", "with", "pipeline"}}},
		{"--yes has no prompts", []string{"shop", "--yes"}, nil},
		{"output for programs", []string{"shop", "--output", "json"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := newTerminal(map[string]string{"name": "orders"})
			args := append([]string{"new", "--dir", filepath.Join(t.TempDir(), "x")}, tt.args...)
			if code := Main(t.Context(), args, u.Factory); code != ExitDone {
				t.Fatalf("exit code %d: %s", code, &u.err)
			}
			if diff := cmp.Diff(tt.want, u.asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswersAreInSpecAndReplayCommand(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	u := newTerminal(map[string]string{"module": "github.com/acme/orders", "owner": "team a", "with": "postgres"})
	if code := Main(t.Context(), []string{"new", "orders", "--dir", dir}, u.Factory); code != ExitDone {
		t.Fatalf("exit code %d: %s", code, &u.err)
	}
	got, err := os.ReadFile(filepath.Join(dir, spec.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"owner: team a\n", "module: github.com/acme/orders\n", "  postgres:\n    connections: 97 # max_connections of PostgreSQL (100) less 3 reserved for superusers\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	want := "To reproduce: scaffold new orders --dir " + dir + " --module github.com/acme/orders --with postgres --owner 'team a' --yes\n"
	if !strings.HasSuffix(u.out.String(), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", &u.out, want)
	}
}

func TestRejectedConfirmationWritesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	u := newTerminal(nil)
	u.Prompt = func(_ context.Context, _ Streams, questions []Question) error {
		if last := questions[len(questions)-1]; last.Confirm != nil {
			*last.Confirm = false
		}
		return nil
	}
	if code := Main(t.Context(), []string{"new", "orders", "--dir", dir}, u.Factory); code != ExitError || u.err.String() != "scaffold: stopped; nothing was written\n" {
		t.Errorf("exit code %d: %s", code, &u.err)
	}
	if want := "  Resource    order, at /v1/orders\n  Components  none\n  Pipelines   github\n"; !strings.Contains(u.out.String(), want) {
		t.Errorf("the summary is\n%s\nwithout\n%s", &u.out, want)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// Accepted proposals stay out of the spec, so that it stays short.
func TestOnlyChangedProposalsAreWrittenToTheSpec(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	u := newTerminal(map[string]string{"resource": "basket", "plural": "basketry", "pipeline": "gitlab,jenkins"})
	if code := Main(t.Context(), []string{"new", "orders", "--dir", dir}, u.Factory); code != ExitDone {
		t.Fatalf("exit code %d: %s", code, &u.err)
	}
	if want := " --pipeline gitlab,jenkins --owner team-orders --resource basket --plural basketry --yes\n"; !strings.HasSuffix(u.out.String(), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", &u.out, want)
	}
}

func TestStoppingAtAPromptWritesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	u := newTerminal(nil)
	u.Prompt = func(context.Context, Streams, []Question) error { return errAborted }
	if code := Main(t.Context(), []string{"new", "orders", "--dir", dir}, u.Factory); code != ExitError {
		t.Errorf("exit code %d", code)
	}
	if got := u.err.String(); got != "scaffold: stopped; nothing was written\n" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// Accessible prompts are plain lines, so this test needs no terminal.
func TestAccessiblePromptsReadAnswers(t *testing.T) {
	t.Parallel()
	module, owner, components := "", "team-orders", []string(nil)
	var out bytes.Buffer
	// A terminal sends one line at a time, so nothing is read ahead.
	s := Streams{In: iotest.OneByteReader(strings.NewReader("nodots\ngithub.com/acme/orders\n\n1\n0\n")), Out: &out}
	err := ask(t.Context(), s, []Question{
		{Flag: "module", Title: "Module", Help: "Go module path", Value: &module, Check: spec.CheckModule},
		{Flag: "owner", Title: "Owner", Help: "the team", Value: &owner, Check: spec.CheckOwner},
		{Flag: "with", Title: "Components", Help: "what it needs", Choices: []string{"postgres"}, Values: &components},
	}, true)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if module != "github.com/acme/orders" || owner != "team-orders" || !cmp.Equal(components, []string{"postgres"}) {
		t.Errorf("got %q, %q, %q\n%s", module, owner, components, &out)
	}
	if !strings.Contains(out.String(), "is not a module path") {
		t.Errorf("a wrong answer was not explained:\n%s", &out)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"no error", nil, 0},
		{"other error", errors.New("x"), 1},
		{"problems of a file", diagnostic.List{{Message: "x"}}, 1},
		{"conflicts", errors.Join(&ConflictError{}, nil), 2},
		{"drift", &FindingsError{1}, 3},
		{"invalid usage", &UsageError{Err: diagnostic.List{{Message: "x"}}}, 64},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// alarm is a check with fixed findings.
type alarm struct {
	found []lint.Finding
	err   error
}

func (alarm) Name() string { return "alarm" }

func (a alarm) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	if t.Service.Name == "" || len(t.Tree) == 0 {
		return nil, errors.New("the target is empty")
	}
	return a.found, a.err
}

// A pipeline reads a line that begins with :: as a command.
func TestLineBreaksOfArgumentsAreEscapedInErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"lint", "no\n::error::such"}, `scaffold: no\n::error::such does not exist; pass a file or a directory`},
		{[]string{"lint", "--rules=./no\n\n ::error::x//y"}, `scaffold: ./no\n\n ::error::x//y does not exist; pass a file or a directory`},
		{[]string{"slo", "missing\n::error::y.slo.yaml"}, `scaffold: missing\n::error::y.slo.yaml does not exist`},
		{[]string{"lint", "--no\n::error::such"}, `scaffold: unknown flag: --no\n::error::such`},
		{[]string{"verify", "./no\n::error::such/"}, `scaffold: no scaffold.yaml in ./no\n::error::such/; pass the directory of a service` + "\nfor a service that was not generated, set --package"},
	} {
		var stderr bytes.Buffer
		f := Factory{Streams: Streams{In: strings.NewReader(""), Out: io.Discard, Err: &stderr}, Getenv: func(string) string { return "" }}
		if status := Main(t.Context(), tc.args, f); status == ExitDone || !strings.HasPrefix(stderr.String(), tc.want+"\n") {
			t.Errorf("%q: exit code %d\ngot  %q\nwant %q", tc.args, status, &stderr, tc.want)
		}
	}
}

func TestChecksReportFindingsAndErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		check alarm
		code  int
		out   string
		err   string
	}{
		{"warning does not fail the check", alarm{found: []lint.Finding{{File: "go.mod", Line: 7, Message: "leads out", Warning: true}}}, ExitDone,
			"\x1b[33mwarning\x1b[0m go.mod:7: leads out\norders: no errors\n", ""},
		{"error fails the check", alarm{found: []lint.Finding{{Message: "odd"}}}, ExitDrift, "\x1b[31merror\x1b[0m   odd\norders: 1 error found\n", ""},
		{"control characters and invalid UTF-8 are replaced", alarm{found: []lint.Finding{{File: "a\xff\x1b[0m\n.yaml", Message: "\x1b[31mred"}}}, ExitDrift,
			"\x1b[31merror\x1b[0m   a\ufffd\ufffd[0m\\n.yaml: \ufffd[31mred\norders: 1 error found\n", ""},
		{"check returns an error", alarm{err: io.ErrUnexpectedEOF}, ExitError, "", "scaffold: check alarm: unexpected EOF\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "orders")
			if code := Main(t.Context(), []string{"new", "orders", "--yes", "--dir", dir}, newTerminal(nil).Factory); code != ExitDone {
				t.Fatalf("exit code %d", code)
			}
			u := newTerminal(nil)
			u.Checks = []checks.Check{tt.check}
			if code := Main(t.Context(), []string{"check", dir}, u.Factory); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if u.out.String() != tt.out || u.err.String() != tt.err {
				t.Errorf("got %q and %q, want %q and %q", &u.out, &u.err, tt.out, tt.err)
			}
		})
	}
}

func TestColorsOnlyOnATerminal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		terminal bool
		args     []string
		env      map[string]string
		want     bool
	}{
		{"terminal", true, nil, nil, true},
		{"pipe", false, nil, nil, false},
		{"--no-color", true, []string{"--no-color"}, nil, false},
		{"NO_COLOR", true, nil, map[string]string{"NO_COLOR": "1"}, false},
		{"SCAFFOLD_NO_COLOR", true, nil, map[string]string{"SCAFFOLD_NO_COLOR": "true"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := newTerminal(nil)
			u.Streams.Terminal = tt.terminal
			u.Getenv = func(name string) string { return tt.env[name] }
			args := append([]string{"new", "orders", "--dry-run", "--yes", "--dir", filepath.Join(t.TempDir(), "orders")}, tt.args...)
			if code := Main(t.Context(), args, u.Factory); code != ExitDone {
				t.Fatalf("exit code %d: %s", code, &u.err)
			}
			if got := strings.Contains(u.out.String(), "\x1b["); got != tt.want {
				t.Errorf("colors: %v, want %v", got, tt.want)
			}
		})
	}
}
