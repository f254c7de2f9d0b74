package cli

import (
	"encoding/json"
	"fmt"

	"github.com/observability-first/scaffold/internal/workspace"
)

// printf writes for people, unless the output is for programs. A standard output that
// is closed has no reader, so errors of writing are dropped.
func (g *globals) printf(format string, args ...any) {
	if g.output == "text" {
		_, _ = fmt.Fprintf(g.Streams.Out, format, args...)
	}
}

func (g *globals) warnf(format string, args ...any) {
	_, _ = fmt.Fprintf(g.Streams.Err, format, args...)
}

// printJSON writes the one document of a command. It falls back on standard
// error only when standard output is gone.
func (g *globals) printJSON(v any) {
	enc := json.NewEncoder(g.Streams.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		g.warnf("scaffold: %s\n", err)
	}
}

// emit writes the document when the output is JSON and says whether it did.
func (g *globals) emit(v any) bool {
	if g.output != "json" {
		return false
	}
	g.printJSON(v)
	return true
}

// colour is an ANSI colour.
type colour int

const (
	red    colour = 31
	green  colour = 32
	yellow colour = 33
)

// paint colours text for a terminal.
func (g *globals) paint(c colour, text string) string {
	if g.noColor || !g.Streams.Terminal {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}

// actionColour is green for what is new, yellow for what changes, red for what goes.
func actionColour(a workspace.Action) colour {
	switch a {
	case workspace.Create:
		return green
	case workspace.Remove, workspace.Conflict:
		return red
	}
	return yellow
}

// printChanges lists what happens to each file that does not just stay.
func (g *globals) printChanges(changes []workspace.Change) {
	for _, c := range changes {
		if c.Action == workspace.Keep && c.Note == "" {
			continue
		}
		note := ""
		if c.Note != "" {
			note = "  (" + c.Note + ")"
		}
		g.printf("%s %s%s\n", g.paint(actionColour(c.Action), fmt.Sprintf("%-8s", c.Action)), c.Path, note)
	}
}
