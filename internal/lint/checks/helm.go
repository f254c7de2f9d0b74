package checks

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
)

var (
	comment = regexp.MustCompile(`(?m)^\s*#.*$`)
	quoted  = regexp.MustCompile(`"(?:\\.|[^"\\\n])*"|'[^'\n]*'`)
	// helmAction matches an action that only Helm can run.
	helmAction = regexp.MustCompile(`\{\{-?\s*(?:include|template|tpl)\s|\{\{-?(?:[^{}]*[\s($])?\.(?:Values|Release|Chart|Capabilities)\b`)
)

// isChartTemplate reports whether a file is a template of a Helm chart.
func isChartTemplate(name string, src []byte) bool {
	return bytes.Contains(comment.ReplaceAll(src, nil), []byte("{{")) && inChart(name)
}

// hasHelmAction reports whether a file has a Helm action outside of quotes. Quoted annotations may
// have text that looks like one.
func hasHelmAction(src []byte) bool {
	return helmAction.Match(quoted.ReplaceAll(comment.ReplaceAll(src, nil), nil))
}

// inChart reports whether a file is below the templates directory of a chart.
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
