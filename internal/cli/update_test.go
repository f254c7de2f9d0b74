package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/semver"

	"github.com/observability-first/scaffold/templates"
)

// Scripts in testdata/update bring a service to another release, in the cases of docs/merge.md. Their templates are those
// of changing.
func TestUpdateScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/update", func(env *testscript.Env) {
		env.Setenv("TEST_CHANGING", "1")
		env.Setenv("SCAFFOLD_BIN", filepath.SplitList(os.Getenv("PATH"))[0]) // only scaffold, see testscript.Main
	})
}

// changing returns files that change from v0.5.0 to v0.7.0.
func changing(release string) []templates.File {
	from := func(version string) bool { return semver.Compare(release, version) >= 0 || !semver.IsValid(release) }
	six := func(before, after string) []byte {
		if from("v0.6.0") {
			return []byte(after)
		}
		return []byte(before)
	}
	block := strings.Repeat("\tprint(same)\n", 3) + "\tprint(other)\n\n"
	guide := string(six("# Guide\n\nOne.\n\nTwo.\n\nThree.\n", "# Guide\n\nOne.\n\nTwo, with care.\n\nThree.\n"))
	if from("v0.7.0") {
		guide = strings.Replace(guide, "One.", "One, first.", 1)
	}
	moved := templates.File{Path: "docs/old.md", Data: []byte("# Old\n\nText.\n")}
	if from("v0.6.0") {
		moved = templates.File{Path: "docs/new.md", Was: "docs/old.md", Data: []byte("# New\n\nText.\n")}
	}
	files := []templates.File{
		moved,
		{Path: "guide.md", Data: []byte(guide)},
		{Path: "docs/guide.md", Data: []byte("Stays.\n")},
		{Path: "similar.txt", Data: six("one\n"+block+"two\n"+block, "zero\n"+block+"one\n"+block+"two\n"+block)},
		{Path: "start.sh", Data: []byte("#!/bin/sh\n\n# Start.\n")},
		{Path: "stop.sh", Data: []byte("#!/bin/sh\n\n# Stop.\n"), Mode: 0o755},
		{Path: "logo.png", Data: six("\x00five", "\x00six")},
		{Path: "empty.txt", Data: six("", "")},
		{Path: "noend.txt", Data: six("first\n\n\nlast", "first, new\n\n\nlast")},
		{Path: "größe 🐍.md", Data: six("aaa 🐍\n", "bbb 🐍\n")},
		{Path: "data.json", Data: six("{\n  \"a\": 1\n}\n", "{\n  \"a\": 2\n}\n")},
		{Path: "own.md", Owner: templates.UserOwned, Data: six("Own.\n", "Own, new.\n")},
		{Path: ".env", Owner: templates.Generated, Data: []byte("VERSION=" + release + "\n")},
	}
	if from("v0.6.0") {
		files[4].Mode, files[5].Mode = 0o755, 0o644
		files = append(files, templates.File{Path: "added.md", Data: []byte("Added.\n")},
			templates.File{Path: "added.gen.md", Owner: templates.Generated, Data: []byte("Added.\n")})
	} else {
		files = append(files, templates.File{Path: "removed/merged.md", Data: []byte("Text.\n")},
			templates.File{Path: "removed/below/a.md", Owner: templates.Generated, Data: []byte("Text.\n")})
	}
	for i := range files {
		if files[i].Owner == "" {
			files[i].Owner = templates.Merged
		}
		if files[i].Mode == 0 {
			files[i].Mode = 0o644
		}
	}
	return files
}

// edit replaces a text in a file, which has to occur. \n and \r are line ends.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	name, ends := ts.MkAbs(args[0]), strings.NewReplacer(`\n`, "\n", `\r`, "\r")
	text := ts.ReadFile(name)
	if !strings.Contains(text, ends.Replace(args[1])) {
		ts.Fatalf("%s does not contain %q:\n%s", args[0], args[1], text)
	}
	ts.Check(os.WriteFile(name, []byte(strings.Replace(text, ends.Replace(args[1]), ends.Replace(args[2]), 1)), 0o600))
}

// commit commits all files in the working directory, in a new repository if there is none.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: commit")
	}
	identity := []string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"}
	if ts.Exec("git", "rev-parse", "--show-prefix") != nil {
		ts.Check(ts.Exec("git", "init", "--quiet"))
	}
	ts.Check(ts.Exec("git", "add", "--all"))
	ts.Check(ts.Exec("git", append(identity, "commit", "--quiet", "--message", "x")...))
}
