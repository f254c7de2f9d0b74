package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// walk runs the blocks of docs/deploy.md that a comment marks.
const walk = "`make kubernetes-apiserver`"

// Each command of docs/deploy.md is in the table at its end, with the test that runs it or the reason
// why there is none.
func TestDeployDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range deployProblems(string(text), thingsOf(t)) {
		t.Error(problem)
	}
}

func TestDeployProblems(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	exist := thingsOf(t)
	for _, tt := range []struct{ name, old, replacement, want string }{
		{"command without a row", "make verify\n", "make verify\nhelm install orders\n", "helm install orders: no row"},
		{"command in a sentence without a row", "Run `terraform plan`", "Run `terraform apply`", "terraform apply: no row"},
		{"row without a command", "| `gcloud` |", "| `gcloud`, `az` |", "az: the document has no such command"},
		{"removed test", "`TestTheImageIsPushedToARegistry`", "`TestTheImageIsThrownAway`", "TestTheImageIsThrownAway: no such test"},
		{"removed target", "what it calls: `make demo`", "what it calls: `make believe`", "make believe: no such target"},
		{"removed script", "script/repository.txtar", "script/nowhere.txtar", "nowhere.txtar: no such file"},
		{"command without a test and a reason", "not run here: it needs an account; ", "not run here; ", "gcloud: neither a test nor a reason"},
		{"block without a walk comment", "<!-- walk: deploy -->\n", "", "./ci deploy $ENVIRONMENT: the walk does not run it"},
		{"block of the walk with another test in the table", "| `kubectl`, `printf`, `od`, `mkdir`, `rm` | the walk: `make kubernetes-apiserver` |", "| `kubectl`, `printf`, `od`, `mkdir`, `rm` | `TestCI` |", "the walk runs it"},
	} {
		if !strings.Contains(string(text), tt.old) {
			t.Fatalf("%s: docs/deploy.md does not contain %q", tt.name, tt.old)
		}
		found := deployProblems(strings.Replace(string(text), tt.old, tt.replacement, 1), exist)
		if !slices.ContainsFunc(found, func(problem string) bool { return strings.Contains(problem, tt.want) }) {
			t.Errorf("%s: found %q, want %q", tt.name, found, tt.want)
		}
	}
}

// command is a command in the document.
type command struct {
	text   string
	walked bool // in a block of the walk
	inline bool // in a sentence
}

func deployProblems(text string, exist things) (problems []string) {
	body, table, found := strings.Cut(text, "## Tests of these commands\n")
	if !found {
		return []string{"no table of commands"}
	}
	rows := commandRows(table)
	used := map[string]bool{}
	for _, c := range shownCommands(body) {
		prefix := longestPrefix(rows, c.text)
		used[prefix] = true
		switch by := strings.Contains(rows[prefix], walk); {
		case prefix == "":
			problems = append(problems, c.text+": no row of the table begins with it")
		case c.walked && !by:
			problems = append(problems, c.text+": the walk runs it, but the table names another test")
		case !c.walked && !c.inline && by:
			problems = append(problems, c.text+": the walk does not run it: no comment marks its block")
		}
	}
	for prefix, by := range rows {
		if !used[prefix] {
			problems = append(problems, prefix+": the document has no such command")
		}
		problems = append(problems, exist.nobodyRuns(prefix, by)...)
	}
	return problems
}

// commandRows returns the second cell of the table by command in the first.
func commandRows(table string) map[string]string {
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		for _, cell := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			rows[cell[1]] = row[2]
		}
	}
	return rows
}

// shownCommands returns the lines of shell blocks, and the commands in sentences.
func shownCommands(body string) (all []command) {
	blocks := regexp.MustCompile("(?s)(<!-- walk: [a-z]+ -->\n)?```sh\n(.*?)```")
	for _, block := range blocks.FindAllStringSubmatch(body, -1) {
		for line := range strings.Lines(block[2]) {
			all = append(all, command{text: strings.TrimSpace(line), walked: block[1] != ""})
		}
	}
	sentences := regexp.MustCompile("`((?:scaffold|make|kubectl|terraform|gcloud|\\./ci) [a-z][^`]*)`")
	for _, m := range sentences.FindAllStringSubmatch(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(body, ""), -1) {
		all = append(all, command{text: m[1], inline: true})
	}
	return all
}

func longestPrefix(rows map[string]string, text string) (longest string) {
	for prefix := range rows {
		if (text == prefix || strings.HasPrefix(text, prefix+" ") || strings.HasPrefix(text, prefix+"=")) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return longest
}

// things are the names that a second cell may have.
type things struct {
	makefile []byte
	test     func(name string) bool
}

func thingsOf(t *testing.T) things {
	t.Helper()
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	return things{makefile, testsBelow(t, "../../../test", "../../../internal", "../../../cmd")}
}

// nobodyRuns reports names in the second cell that do not exist, or a missing reason.
func (e things) nobodyRuns(prefix, by string) (problems []string) {
	names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(by, -1)
	reason, none := strings.CutPrefix(by, "not run here")
	if none && !strings.HasPrefix(reason, ": ") || !none && len(names) == 0 {
		problems = append(problems, prefix+": neither a test nor a reason why there is none")
	}
	for _, m := range names {
		if what := e.missing(m[1]); what != "" {
			problems = append(problems, m[1]+": no such "+what)
		}
	}
	return problems
}

// missing returns the kind of a name that does not exist, or "".
func (e things) missing(name string) string {
	target, isTarget := strings.CutPrefix(name, "make ")
	switch {
	case isTarget && !bytes.Contains(e.makefile, []byte("\n"+target+":")):
		return "target"
	case !isTarget && strings.HasPrefix(name, "Test") && !e.test(name):
		return "test"
	case !isTarget && !strings.HasPrefix(name, "Test"):
		if _, err := os.Stat(filepath.Join("../../..", name)); err != nil {
			return "file"
		}
	}
	return ""
}
