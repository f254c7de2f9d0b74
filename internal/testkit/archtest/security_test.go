package archtest

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Tests, make targets and environment variables in SECURITY.md exist, and each VARIABLE=value is the
// default.
func TestSecurityPolicy(t *testing.T) {
	t.Parallel()
	policy := readFile(t, "../../../SECURITY.md")
	known := testsBelow(t, "../../../runtime", "../../../internal", "../../../test/hostile")
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(policy, -1) {
		if !known("func " + name + "(") {
			t.Errorf("SECURITY.md names %s, which does not exist", name)
		}
	}
	makefile := readFile(t, "../../../Makefile")
	for _, m := range regexp.MustCompile("`make ([a-z-]+)").FindAllStringSubmatch(policy, -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("SECURITY.md names the target %s, which does not exist", m[1])
		}
	}
	defaults := map[string]string{}
	for line := range strings.Lines(readFile(t, "../../../docs/variables.postgres.txt")) {
		name, rest, isRow := strings.Cut(line, " ")
		if !isRow {
			continue // the heading of a group
		}
		// The type may have two words, but not two consecutive spaces.
		columns := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(rest), 3)
		if len(columns) < 2 {
			t.Fatalf("docs/variables.postgres.txt: %q has no default in its third column", line)
		}
		defaults[name] = columns[1]
	}
	named := regexp.MustCompile("`((?:HTTP|ADMIN|POSTGRES|OVERLOAD)_[A-Z_]+)(?:=([^`]+))?`").FindAllStringSubmatch(policy, -1)
	if len(named) == 0 {
		t.Error("SECURITY.md names no environment variable; check the pattern of this test")
	}
	for _, m := range named {
		value, exists := defaults[m[1]]
		if !exists || m[2] != "" && m[2] != "off" && m[2] != value {
			t.Errorf("SECURITY.md has %s, but the default is %q", m[0], value)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}
