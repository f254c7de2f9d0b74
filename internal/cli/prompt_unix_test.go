//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/observability-first/scaffold/templates/components"
)

// user is a person at a terminal on which one command runs.
type user struct {
	t      *testing.T
	tty    *os.File
	cmd    *exec.Cmd
	chunks chan string
	screen string // output since the last match, with escape sequences
}

const (
	ctrlU = "\x15" // clears the line
	ctrlC = "\x03"
)

// command returns a command that runs this test binary as scaffold, for at most a minute.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Args[0] = "scaffold" // testscript.Main selects commands by name
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TEST_RELEASE=v0.5.0", "TERM=xterm-256color", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	return cmd
}

// sit starts scaffold on a new terminal.
func sit(t *testing.T, dir string, env []string, args ...string) *user {
	t.Helper()
	cmd := command(t, dir, args...)
	cmd.Env = append(cmd.Env, env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, tty: tty, cmd: cmd, chunks: make(chan string)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // already stopped unless the test failed
		_ = tty.Close()        // ends the reader
		for range u.chunks {
		}
	})
	go u.read()
	return u
}

// read sends the output until the command exits.
func (u *user) read() {
	defer close(u.chunks)
	buffer := make([]byte, 4096)
	for {
		n, err := u.tty.Read(buffer)
		if n > 0 {
			u.chunks <- string(buffer[:n])
		}
		if err != nil {
			return // Linux returns EIO after the last process has exited
		}
	}
}

var escapes = regexp.MustCompile(`\x1b(\[[0-9;?=<>]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()][A-Z0-9]|[=>78MDEHc])`)

// sees waits for the text on the terminal, after the previous match.
func (u *user) sees(text string) {
	u.t.Helper()
	for {
		plain := escapes.ReplaceAllString(u.screen, "")
		if _, after, ok := strings.Cut(plain, text); ok {
			u.screen = after
			return
		}
		chunk, ok := <-u.chunks
		if !ok {
			u.t.Fatalf("the command ended before it showed %q; it showed\n%q", text, u.screen)
		}
		u.screen += chunk
	}
}

func (u *user) types(keys string) {
	u.t.Helper()
	if _, err := io.WriteString(u.tty, keys); err != nil {
		u.t.Fatal(err)
	}
}

// leaves waits for the command to exit and returns its exit code and its remaining output.
func (u *user) leaves() (int, string) {
	u.t.Helper()
	for chunk := range u.chunks {
		u.screen += chunk
	}
	err := u.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		u.t.Fatal(err)
	}
	return u.cmd.ProcessState.ExitCode(), strings.ReplaceAll(escapes.ReplaceAllString(u.screen, ""), "\r\n", "\n")
}

func TestAnswersOnATerminalCreateTheService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := sit(t, dir, nil, "new")
	u.sees("Name")
	u.sees("enter")
	u.types("Orders!\r")
	u.sees("lower-case")
	u.types(ctrlU + "orders\r")
	for _, shown := range []string{"Module", "(--module)", "> example.com/orders", "Owner", "(--owner)", "> team-orders", "Resource", "(--resource)", "> order", "enter next"} {
		u.sees(shown)
	}
	u.types(ctrlU + "nodots\r")
	u.sees("is not a module path")
	u.types(ctrlU + "github.com/acme/orders\r")
	u.sees("back") // only the second prompt can go back
	u.types(ctrlU + "team-a\r")
	u.sees("> order") // a prompt is drawn again when it is shown again
	u.types(ctrlU + "basket\r")
	first := components.Names()[0]
	for _, shown := range []string{"of basket, for paths such as /v1/baskets (--plural)", "Components", "(--with)", first, "Pipelines", "(--pipeline)", "github", "enter next"} {
		u.sees(shown)
	}
	u.types("\r")
	u.sees("toggle")
	u.types("x")
	u.sees("✓")
	u.types("\r")
	u.sees("submit")
	u.types("\r")
	for _, shown := range []string{"Resource    basket, at /v1/baskets", "Components  " + first, "Pipelines   github", "Create it?", "(--yes)"} {
		u.sees(shown)
	}
	u.types("\r")
	leavesWith(t, u, dir, "scaffold new orders --module github.com/acme/orders --with "+first+" --owner team-a --resource basket --yes")
}

// leavesWith expects a session to end with a command that creates the same service.
func leavesWith(t *testing.T, u *user, dir, replay string) {
	t.Helper()
	code, said := u.leaves()
	if code != 0 || !strings.HasSuffix(said, "To reproduce: "+replay+"\n") {
		t.Errorf("exit code %d, and said\n%s", code, said)
	}
	again := t.TempDir()
	without(t, again, replay)
	sameTrees(t, dir, again)
}

func TestEnterAcceptsProposals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := sit(t, dir, nil, "new", "orders")
	u.sees("enter next")
	u.types("\r")
	u.sees("back")
	u.types(ctrlU + "\r") // a cleared line also accepts the proposal
	u.types("\r")
	u.sees("(--plural)")
	u.sees("enter next")
	u.types("\r")
	u.sees("toggle")
	u.types("\r")
	u.sees("submit")
	u.types("\r")
	u.sees("Create it?")
	u.types("y")
	leavesWith(t, u, dir, "scaffold new orders --module example.com/orders --owner team-orders --yes")
}

func TestCtrlCAtAnyPromptWritesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		args    []string
		answers []struct{ after, keys string }
	}{
		{name: "at the name", args: []string{"new"}, answers: []struct{ after, keys string }{{"enter", ctrlC}}},
		{name: "at the first prompt", args: []string{"new", "orders"}, answers: []struct{ after, keys string }{{"enter next", ctrlC}}},
		{name: "in the middle of a word", args: []string{"new", "orders"}, answers: []struct{ after, keys string }{{"enter next", "github" + ctrlC}}},
		{name: "at the last prompt", args: []string{"new", "orders"}, answers: []struct{ after, keys string }{{"enter next", "\r"}, {"back", "\r\r"}, {"(--plural)", ""}, {"enter next", "\r"}, {"toggle", "x" + ctrlC}}},
		{name: "at the summary", args: []string{"new", "orders"}, answers: []struct{ after, keys string }{{"enter next", "\r"}, {"back", "\r\r"}, {"(--plural)", ""}, {"enter next", "\r"}, {"toggle", "\r"}, {"submit", "\r"}, {"(--yes)", ctrlC}}},
		{name: "rejecting the summary", args: []string{"new", "orders"}, answers: []struct{ after, keys string }{{"enter next", "\r"}, {"back", "\r\r"}, {"(--plural)", ""}, {"enter next", "\r"}, {"toggle", "\r"}, {"submit", "\r"}, {"(--yes)", "n"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			u := sit(t, dir, nil, tt.args...)
			for _, a := range tt.answers {
				u.sees(a.after)
				u.types(a.keys)
			}
			code, said := u.leaves()
			if code != 1 || !strings.HasSuffix(said, "scaffold: stopped; nothing was written\n") {
				t.Errorf("exit code %d, and said\n%s", code, said)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("left %v (%v)", entries, err)
			}
		})
	}
}

// Screen readers need plain lines.
func TestAccessiblePromptsAreLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := sit(t, dir, []string{"ACCESSIBLE=1"}, "new", "orders")
	u.sees("Module [example.com/orders]")
	u.types("github.com/acme/orders\n")
	u.sees("Owner [team-orders]")
	u.types("\n")
	u.sees("Resource [order]")
	u.types("\n")
	u.sees("Plural [orders]")
	u.types("\n")
	first := components.Names()[0]
	u.sees("1.   " + first)
	u.types("1\n")
	u.sees("✓")
	u.types("0\n")
	u.sees("1. ✓ github")
	u.types("0\n")
	u.sees("Create it?")
	u.types("y\n")
	code, said := u.leaves()
	if code != 0 || !strings.HasSuffix(said, "scaffold new orders --module github.com/acme/orders --with "+first+" --owner team-orders --yes\n") {
		t.Errorf("exit code %d, and said\n%s", code, said)
	}
}

// A prompt without a terminal would wait forever.
func TestNoPromptsWithoutTerminalOrWithYesOrJSON(t *testing.T) {
	t.Parallel()
	const proposals = "To reproduce: scaffold new orders --module example.com/orders"
	for _, tt := range []struct {
		name string
		wire func(cmd *exec.Cmd, terminal *os.File)
	}{
		{"no terminal", func(*exec.Cmd, *os.File) {}},
		{"input is a pipe", func(cmd *exec.Cmd, terminal *os.File) { cmd.Stdin, cmd.Stderr = strings.NewReader("x\n"), terminal }},
		{"output is a pipe", func(cmd *exec.Cmd, terminal *os.File) { cmd.Stdin, cmd.Stderr = terminal, terminal }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ours, theirs, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = ours.Close(), theirs.Close() }()
			cmd := command(t, t.TempDir(), "new", "orders")
			var out bytes.Buffer
			cmd.Stdout = &out
			tt.wire(cmd, theirs)
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			if !strings.Contains(out.String(), proposals) {
				t.Errorf("got\n%s\nwithout %s", &out, proposals)
			}
		})
	}
	for name, args := range map[string][]string{"--yes": {"--yes"}, "--output json": {"--output", "json"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := sit(t, t.TempDir(), nil, append([]string{"new", "orders"}, args...)...)
			if code, said := u.leaves(); code != 0 || strings.Contains(said, "(--owner)") {
				t.Errorf("exit code %d, and said\n%s", code, said)
			}
		})
	}
}

// without runs a command line without a terminal.
func without(t *testing.T, dir, line string) {
	t.Helper()
	cmd := command(t, dir, strings.Fields(line)[1:]...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func sameTrees(t *testing.T, a, b string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "diff", "-r", a, b).CombinedOutput(); err != nil {
		t.Errorf("the command that was printed gives another service: %v\n%s", err, out)
	}
}
