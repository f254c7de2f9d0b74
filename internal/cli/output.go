package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/observability-first/scaffold/internal/workspace"
)

// recorder keeps the first error of a stream, so that a command fails if its output was not
// written.
type recorder struct {
	to  io.Writer
	err error
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("standard output: %w", err)
	}
	return n, err
}

// printf writes text for people; it does nothing for other outputs. Main reports write errors.
func (g *globals) printf(format string, args ...any) {
	if g.output == "text" {
		markPrintable(args)
		_, _ = fmt.Fprintf(g.Streams.Out, format, args...)
	}
}

func (g *globals) warnf(format string, args ...any) {
	markPrintable(args)
	_, _ = fmt.Fprintf(g.Streams.Err, format, args...)
}

// markPrintable wraps arguments, so that formatting replaces control characters from files and
// servers. Our own colors stay.
func markPrintable(args []any) {
	for i, arg := range args {
		if _, ours := arg.(painted); !ours {
			args[i] = untrusted{arg}
		}
	}
}

type untrusted struct{ value any }

// Format implements [fmt.Formatter].
func (u untrusted) Format(state fmt.State, verb rune) {
	_, _ = io.WriteString(state, printable(fmt.Sprintf(fmt.FormatString(state, verb), u.value)))
}

// control matches control characters and characters that change the text direction.
var control = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)

// printable replaces control characters and invalid UTF-8.
func printable(text string) string {
	const replacement = string(unicode.ReplacementChar)
	return control.ReplaceAllLiteralString(strings.ToValidUTF8(text, replacement), replacement)
}

// printJSON writes the JSON document of a command. Main reports write errors.
func (g *globals) printJSON(v any) {
	enc := json.NewEncoder(g.Streams.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil && g.unwritten == nil {
		g.unwritten = err
	}
}

// emit writes the document if the output is JSON, and reports whether it did.
func (g *globals) emit(v any) bool {
	if g.output != "json" {
		return false
	}
	g.printJSON(v)
	return true
}

// color is an ANSI color.
type color int

const (
	red    color = 31
	green  color = 32
	yellow color = 33
)

// painted is our own text, which may contain colors.
type painted string

func (g *globals) paint(c color, text string) painted {
	if g.noColor || !g.Streams.Terminal {
		return painted(text)
	}
	return painted(fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text))
}

// actionColor is green for new files, yellow for changes, red for removals.
func actionColor(a workspace.Action) color {
	switch a {
	case workspace.Create:
		return green
	case workspace.Remove, workspace.Conflict:
		return red
	}
	return yellow
}

// printChanges lists the files that change.
func (g *globals) printChanges(changes []workspace.Change) {
	for _, c := range changes {
		if c.Action == workspace.Keep && c.Note == "" {
			continue
		}
		note := ""
		if c.Note != "" {
			note = "  (" + c.Note + ")"
		}
		g.printf("%s %s%s\n", g.paint(actionColor(c.Action), fmt.Sprintf("%-8s", c.Action)), c.Path, note)
	}
}
