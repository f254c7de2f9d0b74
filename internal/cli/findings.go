package cli

import (
	"io"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project/monorepo"
)

// Outputs of commands that report findings.
const (
	outputSARIF  = "sarif"
	outputGitHub = "github"
)

// findingsAnnotation marks the commands with these outputs.
const findingsAnnotation = "scaffold_findings"

// emitFindings writes findings in a format for programs, if one is selected, and reports
// whether it did.
func (g *globals) emitFindings(found []lint.Finding) bool {
	found = inRepository(found)
	switch g.output {
	case outputSARIF:
		g.printJSON(lint.SARIF(found, checks.Rules(), g.Build.Version))
	case outputGitHub:
		_, _ = io.WriteString(g.Streams.Out, printable(lint.GitHub(found)))
	default:
		return false
	}
	return true
}

// inRepository makes file names relative to the root of the repository, as readers of SARIF and
// workflow commands expect. Outside a repository they stay unchanged.
func inRepository(found []lint.Finding) []lint.Finding {
	here, err := filepath.Abs(".")
	if err != nil {
		return found
	}
	root, ok := monorepo.Root(here)
	if !ok {
		return found
	}
	out := slices.Clone(found)
	for i := range out {
		file, err := filepath.Rel(root, filepath.Join(here, filepath.FromSlash(out[i].File)))
		if err == nil && filepath.IsLocal(file) && !filepath.IsAbs(out[i].File) {
			out[i].File = filepath.ToSlash(file)
		}
	}
	return out
}

const (
	maxListed   = 50 // findings; more are grouped
	minRepeated = 3  // places from which on a repeated finding is shown once
	maxPlaces   = 10 // places listed for one warning
)

// printFindings lists findings by place. If there are many, it begins with a summary by rule
// and shows each repeated finding once, with its places.
func (g *globals) printFindings(found []lint.Finding) {
	if len(found) <= maxListed {
		for _, f := range found {
			g.printf("%s %s\n", g.severity(f.Warning), f)
		}
		return
	}
	groups := lint.GroupFindings(found)
	for _, warning := range []bool{false, true} {
		for _, r := range lint.Summary(found, warning) {
			g.printf("%6d  %s %s\n", r.Findings, g.severity(warning), r.Rule)
		}
	}
	g.printf("\n")
	for _, group := range groups {
		g.printGroup(group)
	}
	g.printf("\n")
}

func (g *globals) printGroup(group lint.Group) {
	first := group.Findings[0]
	if len(group.Findings) < minRepeated {
		for _, f := range group.Findings {
			g.printf("%s %s\n", g.severity(f.Warning), f)
		}
		return
	}
	g.printf("%s %s\n", g.severity(first.Warning), group.Title())
	places := group.Places()
	shown := len(places)
	if first.Warning {
		shown = min(shown, maxPlaces)
	}
	for _, place := range places[:shown] {
		g.printf("    %s\n", place)
	}
	if more := len(places) - shown; more > 0 {
		g.printf("    and %d more; --output json lists all\n", more)
	}
}

func (g *globals) severity(warning bool) painted {
	if warning {
		return g.paint(yellow, "warning")
	}
	return g.paint(red, "error") + "  "
}
