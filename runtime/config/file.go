package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// FileEnvVar names the file that [Loader] reads in addition to the environment.
const FileEnvVar = "CONFIG_FILE"

// fileLimit is the maximum size of a file. A path such as /dev/zero must not block the start.
const fileLimit = 1 << 20 // bytes

type entry struct {
	key, value string
	where      string // file:line
}

// file has the entries in the order of their lines.
type file struct {
	name    string
	entries []entry
}

func (f file) lookup(key string) (entry, bool) {
	for _, e := range f.entries {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}

// readFile reads and parses the file. A missing file is a problem.
func readFile(name string) (file, []Problem) {
	bad := func(message string) (file, []Problem) {
		return file{name: name}, []Problem{{EnvVar: FileEnvVar, Value: shown(name, false), Where: "environment", Message: message}}
	}
	opened, err := os.Open(name)
	if err != nil {
		reason := err
		if path := (*os.PathError)(nil); errors.As(err, &path) {
			reason = path.Err
		}
		return bad(reason.Error() + "; write the path of a file with KEY=VALUE lines, or unset it")
	}
	defer opened.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(opened, fileLimit+1))
	if err != nil {
		return bad(err.Error() + "; write the path of a readable file, or unset it")
	}
	if len(text) > fileLimit {
		return bad(fmt.Sprintf("larger than %s; write the path of a file with KEY=VALUE lines", ByteSize(fileLimit)))
	}
	return parseFile(name, string(text))
}

// parseFile parses KEY=VALUE lines. It skips blank lines and lines that begin with #, and "export
// " before a key. A value is the rest of the line without surrounding blanks. Text in single
// quotes is literal; in double quotes, \n, \t, \" and \\ are escapes as in Go. An unquoted value
// with a blank and a # is an error, since parsers disagree on whether a comment follows. Problems
// never contain a value, which may be a secret.
func parseFile(name, text string) (file, []Problem) {
	parsed, wrong := file{name: name}, []Problem(nil)
	lines := map[string]int{}
	text = strings.TrimPrefix(text, "\uFEFF")
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		where := fmt.Sprintf("%s:%d", name, number)
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, message := parseLine(line)
		if first, twice := lines[key]; message == "" && twice {
			message = fmt.Sprintf("already set on line %d; remove one of the two", first)
		}
		if message != "" {
			wrong = append(wrong, Problem{EnvVar: key, Where: where, Message: message})
			continue
		}
		lines[key] = number
		parsed.entries = append(parsed.entries, entry{key: key, value: value, where: where})
	}
	return parsed, wrong
}

// parseLine splits a line. A message that is not empty describes the problem.
func parseLine(line string) (key, value, message string) {
	if rest, found := strings.CutPrefix(line, "export "); found {
		line = rest
	}
	left, right, found := strings.Cut(line, "=")
	if !found {
		return "", "", "missing \"=\"; write KEY=VALUE, or start the line with # for a comment"
	}
	key = strings.TrimSpace(left)
	if !isName(key) {
		return "", "", "invalid name before \"=\"; write letters, digits and _, not starting with a digit"
	}
	value, message = unquote(strings.TrimSpace(right))
	if message == "" && (!utf8.ValidString(value) || strings.ContainsRune(value, 0)) {
		message = "the value is not UTF-8; write text"
	}
	return key, value, message
}

func unquote(value string) (plain, message string) {
	if value == "" {
		return "", ""
	}
	quote := value[:1]
	if quote != `"` && quote != `'` {
		if value[0] == '#' || strings.Contains(value, " #") || strings.Contains(value, "\t#") {
			return "", "ambiguous \"#\"; quote the value, or move the comment to its own line"
		}
		return value, ""
	}
	body, closed := strings.CutSuffix(value[1:], quote)
	if !closed {
		return "", "the quote is not closed at the end of the line; write KEY=" + quote + "VALUE" + quote
	}
	if quote == `'` {
		return single(body)
	}
	return double(body)
}

func single(body string) (plain, message string) {
	if strings.Contains(body, "'") {
		return "", `' is not allowed in single quotes; use double quotes`
	}
	return body, ""
}

// double resolves the escapes of a double-quoted value.
func double(body string) (plain, message string) {
	escapes := map[byte]byte{'n': '\n', 't': '\t', '"': '"', '\\': '\\'}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			return "", `" in double quotes must be escaped; write \"`
		case '\\':
			i++
			var next byte
			if i < len(body) {
				next = escapes[body[i]]
			}
			if next == 0 {
				return "", `unknown escape; write \\ for a backslash`
			}
			b.WriteByte(next)
		default:
			b.WriteByte(body[i])
		}
	}
	return b.String(), ""
}

func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// suggestion returns `; did you mean X?`, or "" if no known name is similar. At most a third of
// the letters, and never more than three, may differ.
func suggestion(name string, known []string) string {
	best, nearest := "", min(3, max(1, len(name)/3))+1
	for _, k := range known {
		if d := distance(name, k); d < nearest {
			best, nearest = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance returns the Levenshtein distance: insertions, deletions and substitutions.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
