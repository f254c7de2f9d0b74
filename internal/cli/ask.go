package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Printed is what one command of a service printed, or why it printed nothing.
type Printed struct {
	Out []byte
	Err error
}

// serviceVerbs are the commands of a service that scaffold runs.
func serviceVerbs() []string { return []string{"telemetry", "openapi", "config"} }

// asking returns a function that gives what a command of the service in dir
// prints. All of them run at its first call, so that the service is built once.
func asking(run func(ctx context.Context, dir, binary string, verbs []string) (map[string]Printed, error), dir, binary string) func(ctx context.Context, verb string) ([]byte, error) {
	var once sync.Once
	var printed map[string]Printed
	var err error
	return func(ctx context.Context, verb string) ([]byte, error) {
		once.Do(func() { printed, err = run(ctx, dir, binary, serviceVerbs()) })
		if err != nil {
			return nil, err
		}
		return printed[verb].Out, printed[verb].Err
	}
}

// AskService builds the service in dir with the go tool, runs the commands and
// returns what each printed. The error is for a service that does not build.
//
// go run keeps the linked binary in its cache, which go build does not: linking
// takes more time than everything else. Instead of the service it starts scaffold,
// which runs all commands.
func AskService(ctx context.Context, dir, binary string, verbs []string) (printed map[string]Printed, err error) {
	if err := readableModule(dir); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "scaffold-ask-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	start, err := quoteFields(append([]string{self, runVerbsCommand, temp}, verbs...))
	if err != nil {
		return nil, err
	}
	pkg := "./cmd/" + binary
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "run", "-exec", start, pkg)
	cmd.Dir, cmd.Stderr = dir, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go run %s: %w\n%s", pkg, err, bytes.TrimSpace(stderr.Bytes()))
	}
	printed = map[string]Printed{}
	for _, verb := range verbs {
		printed[verb] = readPrinted(temp, pkg, verb)
	}
	return printed, nil
}

func readPrinted(temp, pkg, verb string) Printed {
	failed, err := userfile.Read(filepath.Join(temp, verb+".err"), userfile.LargeLimit)
	if err == nil {
		return Printed{Err: fmt.Errorf("go run %s %s: %s", pkg, verb, bytes.TrimSpace(failed))}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Printed{Err: err}
	}
	out, err := userfile.Read(filepath.Join(temp, verb+".out"), userfile.LargeLimit)
	return Printed{out, err}
}

// quoteFields joins words in the way that the go tool splits them.
func quoteFields(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, word := range words {
		quote := `"`
		if strings.Contains(word, quote) {
			quote = "'"
		}
		if strings.Contains(word, quote) {
			return "", fmt.Errorf("%s: a path with both kinds of quotes; install scaffold elsewhere, or set TMPDIR", word)
		}
		quoted[i] = quote + word + quote
	}
	return strings.Join(quoted, " "), nil
}

// runVerbsCommand is what [AskService] lets the go tool start.
const runVerbsCommand = "run-verbs"

func newRunVerbsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    runVerbsCommand + " DIR COMMAND... BINARY",
		Short:  "Run commands of a service and write what they print to DIR",
		Hidden: true,
		Args:   cobra.MinimumNArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			for _, verb := range args[1:last] {
				if err := runVerb(cmd.Context(), args[0], verb, args[last]); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func runVerb(ctx context.Context, dir, verb, binary string) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, verb)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return os.WriteFile(filepath.Join(dir, verb+".err"), fmt.Appendf(nil, "%s\n%s", err, stderr.Bytes()), 0o600)
	}
	return os.WriteFile(filepath.Join(dir, verb+".out"), stdout.Bytes(), 0o600)
}
