package dashboardlint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// rates matches calls of rate functions and their range.
var rates = regexp.MustCompile(`\b(rate|irate|increase)\s*\([^\[\]]*\[([^\]:]+)\]`)

// logRange matches the range of a LogQL query.
var logRange = regexp.MustCompile(`\[\s*([^\]\s]+)\s*\]`)

// logQL checks brackets, quotes, stream selectors and ranges of a LogQL query. It does not use
// Loki's parser, which depends on all of Loki.
func (l *linter) logQL(t dashboardfile.Target, at lint.Finding) {
	skeleton, why := checkBrackets(t.Expr)
	if why == "" && !strings.Contains(skeleton, "{") && !withoutLogs.MatchString(skeleton) {
		why = "no stream selector; add one such as {service_name=\"orders\"}"
	}
	if why == "" {
		why = l.streams(t.Expr, skeleton)
	}
	if why == "" {
		why = withoutRange(skeleton)
	}
	if why != "" {
		l.reportGuessf("target-logql", at, dashboardfile.Free(t.Expr), "not LogQL: %s", why)
		return
	}
	for _, m := range logRange.FindAllStringSubmatch(skeleton, -1) {
		if !isBuiltIn(m[1], "") && !t.Instant {
			l.reportf("target-logql-auto", at, "the range %s does not follow the step of the graph; write [$__auto]", m[1])
			return
		}
	}
}

// isBuiltIn reports whether a range is a Grafana variable whose name begins with $__ and prefix.
func isBuiltIn(text, prefix string) bool {
	return strings.HasPrefix(text, "$__"+prefix) || strings.HasPrefix(text, "${__"+prefix)
}

// withoutLogs matches queries of numbers only, such as vector(1) + 2.
var withoutLogs = regexp.MustCompile(`\bvector\s*\(\s*[-+.\d]|^[\s().+*/%^-]*\d(?:bool|[\s\deE().+*/%^<>=!-])*$`)

// checkBrackets returns the query with blanks for quoted texts and comments, or the reason why a
// bracket or a quote does not match.
func checkBrackets(query string) (skeleton, why string) {
	out := []byte(query)
	var open []byte
	for i := 0; i < len(out); i++ {
		switch c := out[i]; c {
		case '"', '`':
			end := endOfText(query, i)
			if end < 0 {
				return "", "unclosed quote " + string(c)
			}
			i = blank(out, i, end)
		case '#':
			end := len(out) - 1
			if line := strings.IndexByte(query[i:], '\n'); line >= 0 {
				end = i + line
			}
			i = blank(out, i, end)
		case '$':
			if strings.HasPrefix(query[i:], "${") {
				if end := strings.IndexByte(query[i:], '}'); end > 0 {
					i += end
				}
			}
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != opposite(c) {
				return "", "unexpected bracket " + string(c)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return "", "unclosed bracket " + string(open[len(open)-1])
	}
	return string(out), ""
}

// blank replaces the bytes from one index to another with blanks, and returns the last index.
func blank(text []byte, from, to int) int {
	for i := from; i <= to; i++ {
		text[i] = ' '
	}
	return to
}

func opposite(c byte) byte { return map[byte]byte{')': '(', ']': '[', '}': '{'}[c] }

// endOfText returns the index of the quote that closes the one at i, or -1.
func endOfText(query string, i int) int {
	for j := i + 1; j < len(query); j++ {
		switch {
		case query[j] == '\\' && query[i] == '"':
			j++
		case query[j] == query[i]:
			return j
		}
	}
	return -1
}

// streams checks the stream selectors of a query.
func (l *linter) streams(query, skeleton string) string {
	for i := 0; i < len(skeleton); i++ {
		if skeleton[i] != '{' || i > 0 && skeleton[i-1] == '$' {
			continue
		}
		end := endOfStream(skeleton[i:])
		if end < 0 {
			return ""
		}
		matchers, err := parseStream(query[i : i+end+1])
		if err != nil {
			return "invalid stream selector " + query[i:i+end+1] + ": " + lastPart(err.Error())
		}
		if len(matchers) == 0 {
			return "empty stream selector; add a matcher"
		}
		if !slices.ContainsFunc(matchers, selects) {
			return "the stream selector " + query[i:i+end+1] + ` also matches streams without these labels; add a matcher that needs a value, such as app=~".+"`
		}
		i += end
	}
	return ""
}

// selects reports whether a matcher may reject streams without the label, as Loki requires of one.
func selects(m *labels.Matcher) bool { return !m.Matches("") || dashboardfile.Varies(m.Value) }

// overRange matches calls that need a range.
var overRange = regexp.MustCompile(`\b(rate|rate_counter|bytes_rate|[a-z]+_over_time)\s*\(`)

// withoutRange returns a message if a call has no range. The brackets match.
func withoutRange(skeleton string) string {
	names := map[int]string{} // by index of the opening bracket
	for _, m := range overRange.FindAllStringSubmatchIndex(skeleton, -1) {
		names[m[1]-1] = skeleton[m[2]:m[3]]
	}
	type call struct {
		name   string
		ranges int // before it
	}
	var open []call
	ranges := 0
	for i := range len(skeleton) {
		switch skeleton[i] {
		case '[':
			ranges++
		case '(':
			open = append(open, call{names[i], ranges})
		case ')':
			if len(open) == 0 {
				return "" // a bracket of a variable such as ${a:(}
			}
			last := open[len(open)-1]
			if open = open[:len(open)-1]; last.name != "" && last.ranges == ranges {
				return last.name + " has no range; write [$__auto] before the closing bracket"
			}
		}
	}
	return ""
}

// endOfStream returns the index of the bracket that closes a selector, or -1. It skips variables
// such as ${name}.
func endOfStream(skeleton string) int {
	inVariable := false
	for i := range len(skeleton) {
		switch {
		case strings.HasPrefix(skeleton[i:], "${"):
			inVariable = true
		case skeleton[i] == '}' && !inVariable:
			return i
		case skeleton[i] == '}':
			inVariable = false
		}
	}
	return -1
}

func parseStream(selector string) ([]*labels.Matcher, error) {
	p := parser.NewParser(parser.Options{})
	matchers, err := p.ParseMetricSelector(dashboardfile.PromQL(selector))
	if err == nil {
		return matchers, nil
	}
	if matchers, errMatchers := p.ParseMetricSelector(dashboardfile.WithMatchers(selector)); errMatchers == nil {
		return matchers, nil
	}
	return nil, err
}

// lastPart returns a message of the parser without its position, which is relative to the selector.
func lastPart(message string) string {
	if _, rest, found := strings.Cut(message, "parse error: "); found {
		return rest
	}
	return message
}
