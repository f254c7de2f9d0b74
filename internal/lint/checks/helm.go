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
	// helmAction is an action of a template that only Helm can run.
	helmAction = regexp.MustCompile(`\{\{-?\s*(?:include|template|tpl)\s|\{\{-?(?:[^{}]*[\s($])?\.(?:Values|Release|Chart|Capabilities)\b`)
)

// isChartTemplate says whether a file is a template of the chart around it.
func isChartTemplate(name string, src []byte) bool {
	return bytes.Contains(comment.ReplaceAll(src, nil), []byte("{{")) && inChart(name)
}

// hasHelmAction says whether a file has an action of Helm outside of quotes. Annotations may have
// text that looks like one.
func hasHelmAction(src []byte) bool {
	return helmAction.Match(quoted.ReplaceAll(comment.ReplaceAll(src, nil), nil))
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
