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

// Exit codes. They are public: scripts and pipelines depend on them.
const (
	ExitDone     = 0
	ExitError    = 1
	ExitConflict = 2  // conflicts to resolve, or nothing was written because of existing files or edits
	ExitDrift    = 3  // generated files are out of date, or check, lint or verify found an error
	ExitUsage    = 64 // invalid usage (EX_USAGE of sysexits)
)

// UsageError is an invalid command line.
type UsageError struct {
	Command string // such as "scaffold new"
	Err     error
}

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause, which may be a diagnostic.List.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(cmd *cobra.Command, format string, args ...any) error {
	return &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf(format, args...)}
}

// ConflictError reports files that the user has to move before they can be written.
type ConflictError struct{ Conflicts []workspace.Change }

func (e *ConflictError) Error() string {
	lines := make([]string, 0, len(e.Conflicts)+1)
	for _, c := range e.Conflicts {
		lines = append(lines, c.Path+": "+c.Note)
	}
	return strings.Join(append(lines, "nothing was written"), "\n")
}

// EditedError reports generated files that the user edited and that are therefore not written.
type EditedError struct{ Edited []workspace.Change }

func (e *EditedError) Error() string {
	lines := make([]string, 0, len(e.Edited)+1)
	for _, c := range e.Edited {
		lines = append(lines, c.Path+": "+c.Note)
	}
	return strings.Join(append(lines, "nothing was written; undo the edits, or move them to where scaffold check says; scaffold generate --force discards them and keeps copies in "+workspace.DefaultState+"/rejected"), "\n")
}

// UnprintedError reports a service that was generated but does not print its declarations.
type UnprintedError struct {
	Written []workspace.Change
	Err     error
}

func (e *UnprintedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UnprintedError) Unwrap() error { return e.Err }

// FindingsError is the number of errors that check, lint or generate found. The errors
// themselves are the output of the command.
type FindingsError struct{ Errors int }

func (e *FindingsError) Error() string { return plural(e.Errors, "error") + " found" }

// ReportedError is the exit code of a command whose output has the reason.
type ReportedError struct{ Code int }

func (e *ReportedError) Error() string { return "see the output" }

// exitCode is the only place that maps errors to exit codes.
func exitCode(err error) int {
	if differs, ok := errors.AsType[*ReportedError](err); ok {
		return differs.Code
	}
	switch {
	case err == nil:
		return ExitDone
	case is[*UsageError](err):
		return ExitUsage
	case is[*ConflictError](err), is[*EditedError](err), is[*workspace.UnresolvedError](err):
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

// failure is the JSON document of a failed command.
type failure struct {
	Message   string             `json:"message"`
	Code      int                `json:"code"` // the exit code
	Problems  diagnostic.List    `json:"problems,omitempty"`
	Conflicts []workspace.Change `json:"conflicts,omitempty"`
	Files     []workspace.Change `json:"files,omitempty"` // written before the failure

	Unresolved []workspace.Unresolved `json:"unresolved,omitempty"`
	Groups     []pushedGroup          `json:"groups,omitempty"` // of an incomplete push of rules
}

// report writes the error in the selected output format. The commands have already reported a
// [FindingsError] or a [FailedChecksError].
func (g *globals) report(err error) {
	if is[*FindingsError](err) || is[*FailedChecksError](err) || is[*ReportedError](err) {
		return
	}
	if g.output == "json" && (is[*verify.InterruptedError](err) || is[*UnreadError](err)) {
		return // the JSON report contains it
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
	case is[*ConflictError](err), is[*EditedError](err), is[*workspace.UnresolvedError](err):
		g.warnf("%s\n", err)
	default:
		g.warnf("scaffold: %s\n", joinArguments(err.Error(), g.args))
	}
	if misuse := (*UsageError)(nil); errors.As(err, &misuse) {
		g.warnf("See %s --help.\n", misuse.Command)
	}
}

var nextLines = regexp.MustCompile(`\n+[^\n/]+`) // messages may write a path in another form

// joinArguments escapes line breaks of arguments in a message, because a pipeline may read a
// line as a command. Line breaks of the message itself stay.
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
	if edited, ok := errors.AsType[*EditedError](err); ok {
		f.Message, f.Conflicts = "nothing was written", edited.Edited
	}
	if unresolved, ok := errors.AsType[*workspace.UnresolvedError](err); ok {
		f.Message, f.Unresolved = "conflicts are not resolved", unresolved.Files
	}
	if unprinted := (*UnprintedError)(nil); errors.As(err, &unprinted) {
		f.Files = unprinted.Written
	}
	if stopped := (*StoppedPushError)(nil); errors.As(err, &stopped) {
		f.Groups = stopped.groups
	}
	return f
}
