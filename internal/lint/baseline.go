package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Baseline counts the findings of an earlier run. Lines and columns are left out, so that
// edits above a finding do not change it.
type Baseline struct{ counts map[known]int }

// known is one finding of a baseline. Its JSON keys are public.
type known struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"` // so that a warning does not hide a later error
	Path     string `json:"path"`
	Group    string `json:"group,omitempty"`
	At       string `json:"at,omitempty"`
	Message  string `json:"message"`
}

type knownTimes struct {
	known

	Count int `json:"count"`
}

// baselineFile is the JSON document of a baseline. Its keys are public.
type baselineFile struct {
	Version  int          `json:"version"`
	Findings []knownTimes `json:"findings"`
}

const baselineVersion = 3 // 1 had neither severity nor group; 2 called errors faults

// otherLine matches a line number in a message, which changes with edits.
var otherLine = regexp.MustCompile(`\bline \d+\b`)

func (f Finding) known() known {
	return known{f.name(), f.severity(), f.File, f.Group, f.At(), otherLine.ReplaceAllString(f.Message, "line N")}
}

func (f Finding) severity() string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

// NewBaseline returns the baseline of findings.
func NewBaseline(findings []Finding) Baseline {
	b := Baseline{map[known]int{}}
	for _, f := range findings {
		b.counts[f.known()]++
	}
	return b
}

// ParseBaseline reads what [Baseline.JSON] wrote.
func ParseBaseline(name string, src []byte) (Baseline, error) {
	var file baselineFile
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	if d.Decode(&file) != nil { // the decoder's error is left out: it quotes the file, which may hold secrets
		return Baseline{}, fmt.Errorf("%s: not a baseline; pass another file, or remove it and run again with --update-baseline", name)
	}
	if file.Version != baselineVersion {
		return Baseline{}, fmt.Errorf("%s: unknown baseline version %d; remove the file and run again with --update-baseline", name, file.Version)
	}
	b := Baseline{map[known]int{}}
	for _, k := range file.Findings {
		b.counts[k.known] += max(k.Count, 0)
	}
	return b, nil
}

func (k known) order() string {
	return strings.Join([]string{k.Path, k.Rule, k.Group, k.At, k.Message, k.Severity}, "\x00")
}

// JSON returns the document of the baseline, sorted for small diffs.
func (b Baseline) JSON() []byte {
	file := baselineFile{Version: baselineVersion, Findings: []knownTimes{}}
	for k, n := range b.counts {
		file.Findings = append(file.Findings, knownTimes{k, n})
	}
	slices.SortFunc(file.Findings, func(a, b knownTimes) int {
		return strings.Compare(a.order(), b.order())
	})
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(file); err != nil {
		panic(err) // cannot happen: strings and numbers encode
	}
	return out.Bytes()
}

// Keep adds the entries of another baseline whose files keep accepts.
func (b Baseline) Keep(other Baseline, keep func(file string) bool) {
	for k, n := range other.counts {
		if keep(k.Path) {
			b.counts[k] += n
		}
	}
}

// Remove returns the findings that are not in the baseline, the number of those that are, and
// the number of entries that match no finding, in files for which checked is true.
func (b Baseline) Remove(findings []Finding, checked func(file string) bool) (fresh []Finding, matched, stale int) {
	left := map[known]int{}
	for k, n := range b.counts {
		left[k] = n
		if checked(k.Path) {
			stale += n
		}
	}
	for _, f := range findings {
		k := f.known()
		if left[k] == 0 {
			fresh = append(fresh, f)
			continue
		}
		left[k]--
		matched++
	}
	return fresh, matched, stale - matched
}
