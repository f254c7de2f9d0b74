package checks

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
)

// quotedOrComment is text of YAML that a template engine need not have run on.
var quotedOrComment = regexp.MustCompile(`"(?:\\.|[^"\\\n])*"|'[^'\n]*'|(?m:^\s*#.*$)`)

// helmAction is what no rule file has outside of quotes: an action at the beginning of a line, where
// YAML has no text of an annotation, and one that reads what only Helm has.
var helmAction = regexp.MustCompile(`(?m)^\{\{|\{\{-?\s*include\s|\{\{[^{}]*\.(?:Values|Release|Chart|Capabilities)\b`)

// isHelmTemplate says whether a file is a template of a Helm chart, by its text or its directory.
func isHelmTemplate(name string, src []byte) bool {
	text := quotedOrComment.ReplaceAll(src, nil)
	return helmAction.Match(text) || bytes.Contains(text, []byte("{{")) && inChart(name)
}

// inChart says whether a file is in the directory templates of a chart, or below.
func inChart(name string) bool {
	for dir := filepath.Dir(name); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if filepath.Base(dir) != "templates" {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "Chart.yaml")); err == nil {
			return true
		}
	}
	return false
}
