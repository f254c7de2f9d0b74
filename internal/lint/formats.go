package lint

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The subset of SARIF 2.1.0 that findings need.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string      `json:"id"`
		ShortDescription *sarifText  `json:"shortDescription,omitempty"`
		Help             *sarifText  `json:"help,omitempty"`
		Configuration    sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// SARIF returns the findings as a SARIF 2.1.0 log, to be encoded as JSON. The log lists the
// rules that have findings. Version is scaffold's.
func SARIF(findings []Finding, catalog []Rule, version string) any {
	driver := sarifDriver{Name: "scaffold", Version: version, Rules: []sarifRule{}}
	index := map[string]int{}
	results := []sarifResult{}
	for _, f := range findings {
		id := f.name()
		if _, listed := index[id]; !listed {
			index[id] = len(driver.Rules)
			driver.Rules = append(driver.Rules, sarifRuleOf(id, catalog))
		}
		result := sarifResult{RuleID: id, RuleIndex: index[id], Level: level(f.Warning), Message: sarifText{f.Text()}}
		if f.File != "" {
			at := sarifPhysical{Artifact: sarifArtifact{uri(f.File)}}
			if f.Line > 0 {
				at.Region = &sarifRegion{f.Line, f.Column}
			}
			result.Locations = []sarifLocation{{at}}
		}
		results = append(results, result)
	}
	return sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Tool: sarifTool{driver}, ColumnKind: "unicodeCodePoints", Results: results}},
	}
}

func sarifRuleOf(id string, catalog []Rule) sarifRule {
	rule := sarifRule{ID: id, Configuration: sarifConfig{level(false)}}
	if i := slices.IndexFunc(catalog, func(r Rule) bool { return r.Name == id }); i >= 0 {
		r := catalog[i]
		rule.ShortDescription, rule.Help, rule.Configuration.Level = &sarifText{r.Means}, &sarifText{r.Do}, level(r.Warning)
	}
	return rule
}

func level(warning bool) string {
	if warning {
		return "warning"
	}
	return "error"
}

// uri returns a path as a relative URI reference.
func uri(path string) string {
	return (&url.URL{Path: path}).String()
}

// GitHub returns the findings as workflow commands, which GitHub shows next to the lines of a
// pull request.
func GitHub(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		var properties []string
		add := func(key, value string) {
			if value != "" {
				properties = append(properties, key+"="+strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(value))
			}
		}
		add("file", f.File)
		if f.Line > 0 {
			add("line", strconv.Itoa(f.Line))
		}
		if f.Column > 0 {
			add("col", strconv.Itoa(f.Column))
		}
		add("title", f.name())
		text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(f.Text())
		fmt.Fprintf(&b, "::%s %s::%s\n", level(f.Warning), strings.Join(properties, ","), text)
	}
	return b.String()
}
