package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Output is the output of one command of a service, or its error.
type Output struct {
	Out []byte
	Err error
}

// serviceVerbs are the commands of a service that scaffold runs.
func serviceVerbs() []string { return []string{TelemetryVerb, "config"} }

// asking returns a function that returns the output of a command of the service in dir. Its
// first call runs all commands, so that the service is built only once.
func asking(run func(ctx context.Context, dir, binary string, verbs []string) (map[string]Output, error), dir, binary string) func(ctx context.Context, verb string) ([]byte, error) {
	var once sync.Once
	var printed map[string]Output
	var err error
	return func(ctx context.Context, verb string) ([]byte, error) {
		once.Do(func() { printed, err = run(ctx, dir, binary, serviceVerbs()) })
		if err != nil {
			return nil, err
		}
		return printed[verb].Out, printed[verb].Err
	}
}

// RunVerbs builds the service in dir, runs the commands and returns the output of each. The
// error is a build error.
func RunVerbs(ctx context.Context, dir, binary string, verbs []string) (map[string]Output, error) {
	printed := map[string]Output{}
	err := WithProgram(ctx, dir, binary, func(program string) {
		for _, verb := range verbs {
			printed[verb] = runVerb(ctx, program, binary, verb)
		}
	})
	return printed, err
}

// WithProgram builds the service in dir and calls use with the path of the program, which it
// removes afterwards.
//
// Unlike go build, go run caches the linked program, and linking takes most of the time. The
// program that go run starts is scaffold, with -exec, which copies the service.
func WithProgram(ctx context.Context, dir, binary string, use func(program string)) (err error) {
	if err := CheckModule(dir); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "scaffold-service-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	program := filepath.Join(temp, "service.exe") // required on Windows, ignored elsewhere
	start, err := quoteFields([]string{self, CopyProgramCommand, program})
	if err != nil {
		return err
	}
	pkg := "./cmd/" + binary
	cmd := exec.CommandContext(ctx, "go", "run", "-exec", start, pkg)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets the go tool remove its temporary files
	cmd.WaitDelay = StopsWithin
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go run %s: %w\n%s", pkg, err, bytes.TrimSpace(out))
	}
	use(program)
	return ctx.Err()
}

// StopsWithin is the time that an interrupted program has to stop.
const StopsWithin = 5 * time.Second

func runVerb(ctx context.Context, program, binary, verb string) Output {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, verb)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, StopsWithin
	if err := cmd.Run(); err != nil {
		return Output{Err: fmt.Errorf("%s %s: %w\n%s", binary, verb, err, bytes.TrimSpace(stderr.Bytes()))}
	}
	return Output{Out: stdout.Bytes()}
}

// quoteFields joins words with the quoting of the go tool.
func quoteFields(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, word := range words {
		quote := `"`
		if strings.Contains(word, quote) {
			quote = "'"
		}
		if strings.Contains(word, quote) {
			return "", fmt.Errorf("%s: the path contains single and double quotes; install scaffold elsewhere, or set TMPDIR", word)
		}
		quoted[i] = quote + word + quote
	}
	return strings.Join(quoted, " "), nil
}

// CopyProgramCommand is the scaffold command, with the arguments TO and PROGRAM, that
// [WithProgram] lets the go tool start. It calls [CopyProgram].
const CopyProgramCommand = "copy"

// CopyProgram copies a program to a new file.
func CopyProgram(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
