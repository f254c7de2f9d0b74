package rulesim

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// parseMatchers reads the matchers of an Alertmanager file as Alertmanager does
// without feature flags: each text holds matchers between commas, values with or
// without quotes. Its older grammar decides; what that one does not know, as a
// quoted name, is left to the newer one.
func parseMatchers(texts []string) (matchers, error) {
	var out matchers
	for _, text := range texts {
		ms, err := classicMatchers(text)
		if err != nil {
			if ms, err = utf8Matchers(text); err != nil {
				return nil, fmt.Errorf(`matcher %s: %w; write it as name="value", with =, !=, =~ or !~`, text, err)
			}
		}
		out = append(out, ms...)
	}
	return out, nil
}

// newMatcher anchors an expression as Alertmanager does: a dot matches no line
// feed, unlike in PromQL.
func newMatcher(op, name, value string) (*labels.Matcher, error) {
	types := map[string]labels.MatchType{"=": labels.MatchEqual, "!=": labels.MatchNotEqual, "=~": labels.MatchRegexp, "!~": labels.MatchNotRegexp}
	if t := types[op]; t == labels.MatchRegexp || t == labels.MatchNotRegexp {
		if _, err := regexp.Compile(value); err != nil {
			return nil, fmt.Errorf("the expression is not one: %w", err)
		}
		value = "(?-s:" + value + ")"
	}
	m, err := labels.NewMatcher(types[op], name, value)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return m, nil
}

// classic is a matcher of the older grammar: an expression as Alertmanager has
// it, with =~ before = so that the tilde is not part of the value.
var classic = regexp.MustCompile(`^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*((?s).*?)\s*$`)

func classicMatchers(text string) (matchers, error) {
	var out matchers
	for _, part := range splitOutsideQuotes(strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")) {
		m := classic.FindStringSubmatch(part)
		if m == nil {
			return nil, errors.New("it is no matcher")
		}
		value, err := classicValue(m[3])
		if err != nil {
			return nil, err
		}
		matcher, err := newMatcher(m[2], m[1], value)
		if err != nil {
			return nil, err
		}
		out = append(out, matcher)
	}
	return out, nil
}

// splitOutsideQuotes splits at commas. Nothing after the last comma is nothing.
func splitOutsideQuotes(text string) []string {
	var out []string
	start, quoted, escaped := 0, false, false
	for i, r := range text {
		switch {
		case r == ',' && !quoted:
			out = append(out, text[start:i])
			start = i + 1
		case r == '"' && !escaped:
			quoted = !quoted
		}
		if r == '\\' {
			escaped = !escaped
		} else if r != ',' { // which leaves an escape as it is, in Alertmanager too
			escaped = false
		}
	}
	if rest := strings.TrimSpace(text[start:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

// classicValue takes off the quotes and the escapes. A backslash before anything
// but n, a quote or a backslash stands for itself.
func classicValue(raw string) (string, error) {
	if !utf8.ValidString(raw) {
		return "", errors.New("its value is not UTF-8")
	}
	text, quoted := strings.CutPrefix(raw, `"`)
	if quoted {
		var closed bool
		if text, closed = cutClosingQuote(text); !closed {
			return "", errors.New("its value has a quote that is not closed")
		}
	}
	var out strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
			switch r {
			case 'n':
				out.WriteByte('\n')
			case '"', '\\':
				out.WriteRune(r)
			default:
				out.WriteByte('\\')
				out.WriteRune(r)
			}
		case r == '\\':
			escaped = true
		case r == '"':
			return "", errors.New("its value has a quote inside; escape it with a backslash")
		default:
			out.WriteRune(r)
		}
	}
	if escaped {
		out.WriteByte('\\')
	}
	return out.String(), nil
}

// cutClosingQuote removes a quote at the end that no backslash escapes.
func cutClosingQuote(text string) (string, bool) {
	before, ok := strings.CutSuffix(text, `"`)
	slashes := len(before) - len(strings.TrimRight(before, `\`))
	return before, ok && slashes%2 == 0
}

// utf8Matchers reads the newer grammar: names and values are words without
// reserved characters or in quotes, braces come in pairs, and one comma may
// follow the last matcher.
func utf8Matchers(text string) (matchers, error) {
	s := &scanner{rest: text}
	braced := s.accept("{")
	var out matchers
	for !s.ends(braced) {
		name, err := s.word("a label name")
		if err != nil {
			return nil, err
		}
		op := s.operator()
		if op == "" {
			return nil, fmt.Errorf("there is no operator at %q", s.rest)
		}
		value, err := s.word("a value")
		if err != nil {
			return nil, err
		}
		m, err := newMatcher(op, name, value)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
		if !s.accept(",") && !s.ends(braced) {
			return nil, fmt.Errorf("a comma is missing before %q", s.rest)
		}
	}
	if braced {
		s.accept("}")
	}
	if s.space(); s.rest != "" {
		return nil, fmt.Errorf("%q follows the matchers", s.rest)
	}
	return out, nil
}

// scanner reads tokens of the newer grammar.
type scanner struct{ rest string }

func (s *scanner) space() { s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace) }

func (s *scanner) accept(token string) bool {
	s.space()
	rest, ok := strings.CutPrefix(s.rest, token)
	if ok {
		s.rest = rest
	}
	return ok
}

func (s *scanner) ends(braced bool) bool {
	s.space()
	if braced {
		return strings.HasPrefix(s.rest, "}")
	}
	return s.rest == ""
}

func (s *scanner) operator() string {
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if s.accept(op) {
			return op
		}
	}
	return ""
}

func (s *scanner) word(what string) (string, error) {
	s.space()
	if strings.HasPrefix(s.rest, `"`) {
		quoted, err := strconv.QuotedPrefix(s.rest)
		if err != nil {
			return "", fmt.Errorf("the quotes of %s at %q are not closed or hold an unknown escape", what, s.rest)
		}
		s.rest = s.rest[len(quoted):]
		word, err := strconv.Unquote(quoted)
		if err != nil || !utf8.ValidString(word) {
			return "", fmt.Errorf("%s %s is not UTF-8", what, quoted)
		}
		return word, nil
	}
	end := strings.IndexFunc(s.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("{}!=~,\\\"'`", r) })
	if end < 0 {
		end = len(s.rest)
	}
	if end == 0 {
		return "", fmt.Errorf("%s is missing at %q", what, s.rest)
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return word, nil
}
