package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/verify"
	"github.com/observability-first/scaffold/internal/workspace"
)

// The exit codes. They are public: scripts and pipelines branch on them.
const (
	ExitDone     = 0
	ExitError    = 1
	ExitConflict = 2  // files are in the way; nothing was written
	ExitDrift    = 3  // generated files are out of date, or check, lint or verify found an error
	ExitUsage    = 64 // invalid usage (EX_USAGE of sysexits)
)

// UsageError is an invalid command line.
type UsageError struct {
	Command string // as in "scaffold new"
	Err     error
}

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong, which may be a diagnostic.List.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(cmd *cobra.Command, format string, args ...any) error {
	return &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf(format, args...)}
}

// ConflictError is a plan that the user has to make room for first.
type ConflictError struct{ Conflicts []workspace.Change }

func (e *ConflictError) Error() string {
	lines := make([]string, 0, len(e.Conflicts)+1)
	for _, c := range e.Conflicts {
		lines = append(lines, c.Path+": "+c.Note)
	}
	return strings.Join(append(lines, "nothing was written"), "\n")
}

// UnprintedError is a service that was generated and then does not say what it declares.
type UnprintedError struct {
	Written []workspace.Change
	Err     error
}

func (e *UnprintedError) Error() string { return e.Err.Error() }

// Unwrap gives why.
func (e *UnprintedError) Unwrap() error { return e.Err }

// FindingsError says how many errors check, lint or generate found. The errors themselves
// are the command's output.
type FindingsError struct{ Errors int }

func (e *FindingsError) Error() string { return plural(e.Errors, "error") + " found" }

// exitCode is the one place where errors become codes.
func exitCode(err error) int {
	switch {
	case err == nil:
		return ExitDone
	case is[*UsageError](err):
		return ExitUsage
	case is[*ConflictError](err):
		return ExitConflict
	case is[*FindingsError](err), is[*FailedChecksError](err):
		return ExitDrift
	}
	return ExitError
}

func is[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// failure is what a failed command writes with --output json.
type failure struct {
	Message   string             `json:"message"`
	Code      int                `json:"code"` // the exit code
	Problems  diagnostic.List    `json:"problems,omitempty"`
	Conflicts []workspace.Change `json:"conflicts,omitempty"`
	Files     []workspace.Change `json:"files,omitempty"`  // that were written before the failure
	Groups    []pushedGroup      `json:"groups,omitempty"` // of a push of rules that stopped on the way
}

// report writes the error the way the user asked for. A [FindingsError] and a
// [FailedChecksError] have been reported by their commands.
func (g *globals) report(err error) {
	if is[*FindingsError](err) || is[*FailedChecksError](err) {
		return
	}
	if g.output == "json" && (is[*verify.InterruptedError](err) || is[*UnreadError](err)) {
		return // its report is the document, and says so
	}
	if g.output == "json" {
		g.printJSON(map[string]failure{"error": describeFailure(err)})
		return
	}
	if unread, ok := errors.AsType[*UnreadError](err); ok {
		for _, err := range unread.Errs {
			g.report(err)
		}
		return
	}
	var list diagnostic.List
	switch {
	case errors.As(err, &list):
		g.warnf("%s\n", list.Render())
	case is[*ConflictError](err):
		g.warnf("%s\n", err)
	default:
		g.warnf("scaffold: %s\n", joinArguments(err.Error(), g.args))
	}
	if misuse := (*UsageError)(nil); errors.As(err, &misuse) {
		g.warnf("See %s --help.\n", misuse.Command)
	}
}

var nextLines = regexp.MustCompile(`\n+[^\n/]+`) // messages may have another form of a path

// joinArguments escapes the line breaks of arguments in a message, which may have lines of its own:
// a pipeline may take a line for a command.
func joinArguments(message string, args []string) string {
	for _, arg := range args {
		for _, lines := range nextLines.FindAllString(arg, -1) {
			message = strings.ReplaceAll(message, lines, strings.ReplaceAll(lines, "\n", `\n`))
		}
	}
	return message
}

func describeFailure(err error) failure {
	f := failure{Message: err.Error(), Code: exitCode(err)}
	if list, ok := errors.AsType[diagnostic.List](err); ok {
		f.Problems = list
	}
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
		f.Message, f.Conflicts = "nothing was written", conflict.Conflicts
	}
	if unprinted := (*UnprintedError)(nil); errors.As(err, &unprinted) {
		f.Files = unprinted.Written
	}
	if stopped := (*StoppedPushError)(nil); errors.As(err, &stopped) {
		f.Groups = stopped.groups
	}
	return f
}
