package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// FileEnvVar names the file that [Loader] reads beside the environment.
const FileEnvVar = "CONFIG_FILE"

// fileLimit bounds what is read into memory: no configuration is larger, and a
// path such as /dev/zero must not hang the start.
const fileLimit = 1 << 20 // bytes

// entry is one KEY=VALUE of a file.
type entry struct {
	key, value string
	where      string // file:line
}

// file holds the entries in the order of their lines.
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

// readFile reads and parses the file. A file that is not there is a problem:
// somebody named it on purpose.
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
		return bad(reason.Error() + "; write the path of a file of KEY=VALUE lines, or unset it")
	}
	defer opened.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(opened, fileLimit+1))
	if err != nil {
		return bad(err.Error() + "; write the path of a readable file, or unset it")
	}
	if len(text) > fileLimit {
		return bad(fmt.Sprintf("larger than %s; this is hardly a file of KEY=VALUE lines", ByteSize(fileLimit)))
	}
	return parseFile(name, string(text))
}

// parseFile reads KEY=VALUE lines. Blank lines and lines that begin with # are
// skipped, "export " in front of a key is allowed. A value goes to the end of
// its line without surrounding blanks; in single quotes it is taken as it is,
// in double quotes \n, \t, \" and \\ are read as in Go. A bare value with a
// blank and a # is refused, since readers disagree on whether that begins a
// comment. Problems never repeat a value: it may be a secret.
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

// parseLine splits one line. A message that is not empty says what is wrong.
func parseLine(line string) (key, value, message string) {
	if rest, found := strings.CutPrefix(line, "export "); found {
		line = rest
	}
	left, right, found := strings.Cut(line, "=")
	if !found {
		return "", "", "no = in this line; write KEY=VALUE, or begin the line with # to make it a comment"
	}
	key = strings.TrimSpace(left)
	if !isName(key) {
		return "", "", "what stands before = is no name; write letters, digits and _, not beginning with a digit"
	}
	value, message = unquote(strings.TrimSpace(right))
	if message == "" && (!utf8.ValidString(value) || strings.ContainsRune(value, 0)) {
		message = "the value is not UTF-8 text; write text"
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
			return "", "is the # a comment or part of the value? put the value in quotes, or the comment on a line of its own"
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
		return "", `a ' inside single quotes ends them; put the value in double quotes`
	}
	return body, ""
}

// double undoes the escapes of a double-quoted value.
func double(body string) (plain, message string) {
	escapes := map[byte]byte{'n': '\n', 't': '\t', '"': '"', '\\': '\\'}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			return "", `a " inside double quotes ends them; write \"`
		case '\\':
			i++
			var next byte
			if i < len(body) {
				next = escapes[body[i]]
			}
			if next == 0 {
				return "", `a \ is followed by something else than n, t, " or \; write \\ for one \`
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

// suggestion is `; did you mean X?`, or "" when no known name is near. Near is
// at most a third of the letters changed and never more than three.
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

// distance is Levenshtein's: insertions, deletions and substitutions.
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
