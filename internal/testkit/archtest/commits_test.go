package archtest

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// before is the last commit whose subject is not checked.
const before = "d253ab9"

// The area is a package or directory, so that a list of subjects shows what a release changes.
var subject = regexp.MustCompile(`^[a-z][a-z0-9./-]*(, [a-z][a-z0-9./-]*)*: [a-z].{1,90}[^.]$`)

func TestCommitSubjectsHaveAnArea(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "git", "merge-base", "--is-ancestor", before, "HEAD").Run(); err != nil {
		t.Skip("TestCommitSubjectsHaveAnArea: no history, as in a shallow clone")
	}
	out, err := exec.CommandContext(t.Context(), "git", "log", "--no-merges", "--format=%s", before+"..HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); !subject.MatchString(line) {
			t.Errorf("the subject %q does not match %s", line, subject)
		}
	}
}
