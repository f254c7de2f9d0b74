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

// walk is who types the blocks of docs/deploy.md that a comment names.
const walk = "`make kubernetes-apiserver`"

// Every command of docs/deploy.md stands in the table at its end, with the test
// that runs it or the reason why none does.
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

func TestDeployDocumentBroken(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	exist := thingsOf(t)
	for _, tt := range []struct{ name, old, replacement, want string }{
		{"a command that no row has", "make verify\n", "make verify\nhelm install orders\n", "helm install orders: no row"},
		{"one in a sentence", "Run `terraform plan`", "Run `terraform apply`", "terraform apply: no row"},
		{"a row without a command", "| `gcloud` |", "| `gcloud`, `az` |", "az: the document has no such command"},
		{"a test that is gone", "`TestTheImageIsPushedToARegistry`", "`TestTheImageIsThrownAway`", "TestTheImageIsThrownAway: no such test"},
		{"a target that is gone", "what it calls: `make demo`", "what it calls: `make believe`", "make believe: no such target"},
		{"a script that is gone", "script/repository.txtar", "script/nowhere.txtar", "nowhere.txtar: no such file"},
		{"a command that nobody runs, and no reason", "not run here: it wants an account; ", "not run here; ", "gcloud: neither a test nor a reason"},
		{"a block that the walk leaves out", "<!-- walk: deploy -->\n", "", "./ci deploy $ENVIRONMENT: the walk does not type it"},
		{"a block of the walk that the table gives to another", "| `kubectl`, `printf`, `od`, `mkdir`, `rm` | the walk: `make kubernetes-apiserver` |", "| `kubectl`, `printf`, `od`, `mkdir`, `rm` | `TestCI` |", "the walk types it"},
	} {
		if !strings.Contains(string(text), tt.old) {
			t.Fatalf("%s: there is no %q to break", tt.name, tt.old)
		}
		found := deployProblems(strings.Replace(string(text), tt.old, tt.replacement, 1), exist)
		if !slices.ContainsFunc(found, func(problem string) bool { return strings.Contains(problem, tt.want) }) {
			t.Errorf("%s: found %q, want %q", tt.name, found, tt.want)
		}
	}
}

// command is one that the document shows.
type command struct {
	text   string
	walked bool // a block of the walk
	inline bool // in a sentence
}

func deployProblems(text string, exist things) (problems []string) {
	body, table, found := strings.Cut(text, "## Who has run these commands\n")
	if !found {
		return []string{"the table of commands is gone"}
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
			problems = append(problems, c.text+": the walk types it, and the table gives it to another")
		case !c.walked && !c.inline && by:
			problems = append(problems, c.text+": the walk does not type it: no comment names its block")
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

// commandRows is the second cell of the table by each command of the first.
func commandRows(table string) map[string]string {
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		for _, cell := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			rows[cell[1]] = row[2]
		}
	}
	return rows
}

// shownCommands are the lines of blocks for a shell, and what sentences show of
// the programs that the document is about.
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

// things are what a second cell may name.
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

// nobodyRuns says what the second cell names that does not exist, or that it
// gives no reason.
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

// missing says what the name should be one of and is not.
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
