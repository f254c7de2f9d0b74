package archtest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// phrases must not come back: each has a plain word in the field, or means nothing to a
// reader who is not sure of English.
var phrases = []string{
	`(?i)\bfailed to [a-z]`,
	`(?i)\bfor want of\b`,
	`(?i)\bwhoever\b`,
	`(?i)\bmakes no sense\b`,
	`(?i)\bone argument too many\b`,
	`(?i)\bstands? twice\b`,
	`(?i)\bnot looked at\b`,
	`(?i)\b(rehears\w*|laborator\w*|abreast)\b`,
	`\b[dD]rills?\b`,
	`(?i)\b(proves?|proofs?) (that|of|hold|fail)`,
	`(?i)\bin a circle\b`,
	`(?i)\bnobody (can|minds|reads|looks|knows|asks|hears)\b`,
	`(?i)\bsays of\b`,
	`(?i)\bleads? back\b`,
	`(?i)\bgone for good\b`,
	`(?i)\bat the most\b`,
	`(?i)\bby lot\b`,
	`(?i)\bmakes? good\b`,
	`(?i)\bnever holds\b`,
	`(?i)\bof one's own\b`,
	`(?i)\bworked on\b`,
	`(?i)\b(a part failed|what stands before|what goes on)\b`,
	`(?i)\bgives? (its|the|a) place back\b`,
	`(?i)\blongest (time|wait) (for|to)\b`,
	`(?i)\bnobody (declares|stated|sets)\b`,
	`(?i)\brequest answered\b`,
	`(?i)\b(looking whose|taking the database away|asking every query)\b`,
	`(?i)\bthis build fails on request\b`,
	`(?-i:[cC]olour|[bB]ehaviour|[lL]icence|[oO]rganisation|[nN]eighbour|labelled|cancelled|[rR]ecognised|[iI]nitialise|\b[gG]rey\b|\b[aA]nalysed)`, // American spelling, as in Go
}

// exempt are files whose words are not ours to choose, or that say what a word was.
var exempt = regexp.MustCompile(`^CHANGELOG\.md$|^docs/adr/|/testdata/|\.sum$|package-lock\.json$|phrases_test\.go$`)

func TestPhrasesDoNotComeBack(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "git", "-C", "../../..", "ls-files").Output()
	if err != nil {
		t.Skip("TestPhrasesDoNotComeBack: the files are not in a git repository")
	}
	all := regexp.MustCompile(strings.Join(phrases, "|"))
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if exempt.MatchString(name) {
			continue
		}
		text, err := os.ReadFile("../../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if found := all.FindString(line); found != "" {
				t.Errorf("%s:%d: %q; write it in plain words (style: the words of the field)", name, n+1, found)
			}
		}
	}
}
