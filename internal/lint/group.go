package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// RuleCount is the number of findings of a rule.
type RuleCount struct {
	Rule     string
	Findings int
}

// Summary counts errors or warnings by rule, most frequent first. Findings without a rule are
// counted by check.
func Summary(findings []Finding, warnings bool) []RuleCount {
	counts := map[string]int{}
	for _, f := range findings {
		if f.Warning == warnings {
			counts[f.name()]++
		}
	}
	var out []RuleCount
	for rule, n := range counts {
		out = append(out, RuleCount{rule, n})
	}
	slices.SortFunc(out, func(a, b RuleCount) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// name is the rule, or the check of a finding without a rule.
func (f Finding) name() string { return cmp.Or(f.Rule, f.Check) }

// Group is one mistake at one or more places: findings with the same rule, severity and shape.
type Group struct {
	Findings []Finding

	args   [][]string // arguments of the messages, by finding; nil if a message does not match its format
	differ []bool     // by argument: whether findings differ in it
}

// GroupFindings groups findings, errors first, then by number of findings. Findings of a group
// keep their order.
func GroupFindings(findings []Finding) []Group {
	type key struct {
		warning           bool
		rule, shape, text string
	}
	at := map[key]int{}
	var out []Group
	for _, f := range findings {
		k := key{warning: f.Warning, rule: f.name(), shape: f.Shape}
		if strings.Trim(verb.ReplaceAllString(f.Shape, ""), " :") == "" { // a shape such as "%s: %s"
			k.text = f.Message
		}
		i, seen := at[k]
		if !seen {
			i, at[k] = len(out), len(out)
			out = append(out, Group{})
		}
		out[i].Findings = append(out[i].Findings, f)
	}
	slices.SortStableFunc(out, func(a, b Group) int {
		if a.Findings[0].Warning != b.Findings[0].Warning {
			if a.Findings[0].Warning {
				return 1
			}
			return -1
		}
		return cmp.Compare(len(b.Findings), len(a.Findings))
	})
	for i := range out {
		out[i] = newGroup(out[i].Findings)
	}
	return out
}

// verb matches a verb of a format.
var verb = regexp.MustCompile(`%[#+]?[a-z]`)

// newGroup finds the arguments in which the messages differ.
func newGroup(findings []Finding) Group {
	g := Group{Findings: findings}
	for i, f := range findings {
		args, ok := arguments(f.Shape, f.Message)
		if !ok {
			return Group{Findings: findings}
		}
		g.args = append(g.args, args)
		if i == 0 {
			g.differ = make([]bool, len(args))
		}
		for j := range args {
			g.differ[j] = g.differ[j] || args[j] != g.args[0][j]
		}
	}
	return g
}

// arguments returns the arguments of the format that made a message.
func arguments(shape, message string) ([]string, bool) {
	literals := verb.Split(shape, -1)
	for i := range literals {
		literals[i] = strings.ReplaceAll(literals[i], "%%", "%")
	}
	rest, ok := strings.CutPrefix(message, literals[0])
	if !ok {
		return nil, false
	}
	args := []string{}
	for i, literal := range literals[1:] {
		end := strings.Index(rest, literal)
		if i == len(literals)-2 {
			end = len(rest) - len(literal)
		}
		if end < 0 || !strings.HasPrefix(rest[end:], literal) {
			return nil, false
		}
		args, rest = append(args, rest[:end]), rest[end+len(literal):]
	}
	return args, true
}

// Title returns the rule, the number of findings, and the message with … for arguments that
// differ.
func (g Group) Title() string {
	first := g.Findings[0]
	message := first.Message
	if slices.Contains(g.differ, true) {
		i := -1
		message = strings.ReplaceAll(verb.ReplaceAllStringFunc(first.Shape, func(string) string {
			i++
			if g.differ[i] {
				return "…"
			}
			return g.args[0][i]
		}), "%%", "%")
	}
	return fmt.Sprintf("%s (%d times): %s", first.name(), len(g.Findings), onOneLine(message))
}

// maxDetail is the maximum length of the arguments of a place, in characters.
const maxDetail = 80

// Places returns the place of each finding with the arguments that differ.
func (g Group) Places() []string {
	out := make([]string, len(g.Findings))
	for i, f := range g.Findings {
		out[i] = f.Place()
		if at := f.At(); at != "" {
			out[i] += ": " + at
		}
		if g.args == nil {
			continue
		}
		var details []string
		for j, arg := range g.args[i] {
			if arg = strings.Trim(arg, " ;"); g.differ[j] && arg != "" && !slices.Contains(details, arg) && !slices.Contains([]string{f.Alert, f.Record, f.Panel}, arg) {
				details = append(details, arg)
			}
		}
		if detail := []rune(onOneLine(strings.Join(details, ", "))); len(detail) > maxDetail {
			out[i] += " (" + string(detail[:maxDetail-1]) + "…)"
		} else if len(detail) > 0 {
			out[i] += " (" + string(detail) + ")"
		}
	}
	return out
}
