package workspace

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/observability-first/scaffold/templates"
)

// basesOf returns the archive on disk, and fails unless it begins with its comment.
func basesOf(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, basePath))
	if err != nil {
		t.Fatal(err)
	}
	bases, found := strings.CutPrefix(string(data), baseComment)
	if !found {
		t.Errorf("got %q, want a first line that explains the file", data)
	}
	return bases
}

func TestArchiveHasTheBasesOfFilesThatUsersEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t,
		file("merged", "README.md", "# Orders\n"), file("merged", "Makefile", "one\n"), file("merged", ".github/workflows/a.yml", "on: push\n"),
		file("merged", "api/openapi.json", "{}\n"), file("merged", "go.sum", "a h1:x\n"), file("generated", "a.go", "package a\n"),
		file("user-owned", "b.go", "package b\n"), file("block", "r.md", facts("x"))))
	equal(t, "-- .github/workflows/a.yml --\non: push\n-- Makefile --\none\n-- README.md --\n# Orders\n-- api/openapi.json --\n{}\n-- b.go --\npackage b\n", basesOf(t, dir))
}

func TestServiceWithoutMergedTextFilesHasNoArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := tree(t, file("merged", "go.sum", "a h1:x\n"))
	apply(t, dir, one)
	if _, err := os.Stat(filepath.Join(dir, basePath)); !os.IsNotExist(err) {
		t.Errorf("an archive without bases was written: %v", err)
	}
	apply(t, dir, tree(t, file("merged", "Makefile", "one\n")))
	apply(t, dir, one)
	if _, err := os.Stat(filepath.Join(dir, basePath)); !os.IsNotExist(err) {
		t.Errorf("the archive without bases was not removed: %v", err)
	}
}

func TestBaseIsTheGeneratedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := tree(t, file("merged", "Makefile", "one\n")), tree(t, file("merged", "Makefile", "two\n"))
	apply(t, dir, one)
	put(t, dir, "Makefile", "mine\n")
	apply(t, dir, two)
	equal(t, "-- Makefile --\none\n", basesOf(t, dir)) // it advances when the conflict is resolved
	put(t, dir, "Makefile", "both\n")
	resolve(t, dir, two)
	equal(t, "-- Makefile --\ntwo\n", basesOf(t, dir))
}

// The archive has the base of an edited file, which no template gives again, and of an unedited one.
func TestDamagedArchiveIsRewritten(t *testing.T) {
	t.Parallel()
	const whole = baseComment + "-- Makefile --\none\n-- README.md --\none\n"
	const restored, withoutEdited = "-- Makefile --\none\n-- README.md --\ntwo\n", "-- README.md --\ntwo\n"
	const lost = "; the base of Makefile is lost unless you restore this file from version control"
	for _, tt := range []struct {
		name, disk string
		want       []Change
		after      string
	}{
		{"unchanged", whole, nil, restored},
		{"other line ends", strings.ReplaceAll(whole, "\n", "\r\n"), nil, strings.Replace(restored, "one\n", "one\r\n", 1)},
		{"missing", "", []Change{{basePath, "generated", Create, "deleted" + lost}}, withoutEdited},
		{"empty", "\n", []Change{{basePath, "generated", Rewrite, "edited by hand" + lost}}, withoutEdited},
		{"base of the unedited file edited", strings.Replace(whole, "README.md --\none", "README.md --\nmine", 1),
			[]Change{{basePath, "generated", Rewrite, "edited by hand"}}, restored},
		{"base of the unedited file removed", strings.Replace(whole, "-- README.md --\none\n", "", 1),
			[]Change{{basePath, "generated", Rewrite, "edited by hand"}}, restored},
		{"base of the edited file edited", strings.Replace(whole, "Makefile --\none", "Makefile --\nmine", 1),
			[]Change{{basePath, "generated", Rewrite, "edited by hand" + lost}}, withoutEdited},
		{"cut in a base", whole[:len(whole)-2], []Change{{basePath, "generated", Rewrite, "edited by hand"}}, restored},
		{"cut in a header", strings.TrimSuffix(whole, " --\none\n"), []Change{{basePath, "generated", Rewrite, "edited by hand" + lost}}, withoutEdited},
		{"cut in the comment", whole[:10], []Change{{basePath, "generated", Rewrite, "edited by hand" + lost}}, withoutEdited},
		{"a base that is not recorded", whole + "-- other --\nx\n", []Change{{basePath, "generated", Rewrite, "edited by hand"}}, restored},
		{"conflict in the unedited file", strings.Replace(whole, "README.md --\none\n", "README.md --\n<<<<<<< HEAD\none\n=======\ntwo\n>>>>>>> b\n", 1),
			[]Change{{basePath, "generated", Rewrite, "edited by hand"}}, restored},
		{"conflict over all", "<<<<<<< HEAD\n" + whole + "=======\n" + strings.ReplaceAll(whole, "one", "two") + ">>>>>>> b\n",
			[]Change{{basePath, "generated", Rewrite, "edited by hand"}}, restored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			apply(t, dir, tree(t, file("merged", "Makefile", "one\n"), file("merged", "README.md", "one\n")))
			put(t, dir, "Makefile", "mine\n")
			if tt.disk == "" {
				remove(t, dir, basePath)
			} else {
				put(t, dir, basePath, tt.disk)
			}
			next := tree(t, file("merged", "Makefile", "two\n"), file("merged", "README.md", "two\n"))
			var got []Change
			for _, c := range apply(t, dir, next) {
				if c.Path == basePath {
					got = append(got, c)
				}
			}
			equal(t, tt.want, got)
			equal(t, tt.after, basesOf(t, dir))
			withBase := "||||||| as scaffold wrote it last\none\n"
			if strings.Contains(tt.after, "Makefile") != strings.Contains(contents(t, dir)["Makefile"], withBase) {
				t.Errorf("got\n%s\nwant both sides, and the base unless it is lost", contents(t, dir)["Makefile"])
			}
			equal(t, "two\n", contents(t, dir)["README.md"])
			if again := plan(t, dir, next); len(again.writes) > 0 {
				t.Errorf("a second run would change %v", again.Changes)
			}
		})
	}
}

func TestDamagedArchiveIsDrift(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := tree(t, file("merged", "Makefile", "one\n"))
	apply(t, dir, one)
	put(t, dir, basePath, "mine\n")
	equal(t, []Drift{{basePath, "edited by hand", true}}, plan(t, dir, one).Drift())
	remove(t, dir, basePath)
	equal(t, []Drift{{basePath, "missing", false}}, plan(t, dir, one).Drift())
	put(t, dir, basePath+"/x", "")
	equal(t, []Change{{basePath, "generated", Conflict, "a directory is in the way; move it away"}}, plan(t, dir, one).Conflicts())
}

func TestBaseOfAFileThatIsNoLongerMergedIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makefile := file("merged", "Makefile", "one\n")
	apply(t, dir, tree(t, makefile, file("merged", "removed", "one\n"), file("merged", "orphaned", "one\n"), file("merged", "user-owned", "one\n")))
	put(t, dir, "orphaned", "mine\n")
	equal(t, []Change{
		{"orphaned", "merged", Orphaned, "no longer generated; kept, since you edited it: delete it unless you need it"}, {"removed", "merged", Remove, ""},
	}, apply(t, dir, tree(t, makefile, file("user-owned", "user-owned", "one\n"))))
	equal(t, "-- Makefile --\none\n-- user-owned --\none\n", basesOf(t, dir))
}

func TestLineThatTheArchiveCannotHoldIsAnError(t *testing.T) {
	t.Parallel()
	w := open(t, t.TempDir())
	_, err := w.Plan(tree(t, file("merged", "docs/a.md", "# A\n\n-- b --\n")))
	if err == nil || err.Error() != `docs/a.md:3: a line of the form "-- b --" is reserved for scaffold's state; change it` {
		t.Errorf("got %v", err)
	}
}

// FuzzBases checks that a base is read with the bytes that were written, or the write is an error
// with file and line.
func FuzzBases(f *testing.F) {
	for _, seed := range []string{"", "\n", "a", "a\n", "a\n\n", "a\r\n", "a\r", "-- b --", "-- b --\r", "-- b --\r\n", "--  --\n", "\xff\x00\n", "a\n-- b --\nc\n"} {
		f.Add([]byte(seed), []byte("b\n"))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		want := map[string][]byte{"a b.md": one, "dir/c": two}
		archive, err := encodeBases(want)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "a b.md:") && !strings.HasPrefix(err.Error(), "dir/c:") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		got := manifest{Files: []entry{
			{Path: "a b.md", Digest: digest(one), Owner: templates.Merged}, {Path: "dir/c", Digest: digest(two), Owner: templates.Merged},
		}}.decodeBases(archive, Options{})
		for name, data := range want {
			if base, found := got[name]; !found || !bytes.Equal(base, data) {
				t.Errorf("%s: got %q (%v), want %q", name, base, found, data)
			}
		}
	})
}

// FuzzDecodeBases checks that only recorded texts are read as bases.
func FuzzDecodeBases(f *testing.F) {
	whole, err := encodeBases(map[string][]byte{"a": []byte("one\n"), "b": []byte("two")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")))
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("<<<<<<< HEAD\n" + string(whole) + "=======\n-- a --\n>>>>>>> b\n"))
	m := manifest{Files: []entry{
		{Path: "a", Digest: digest([]byte("one\n")), Owner: templates.Merged}, {Path: "b", Digest: digest([]byte("two")), Owner: templates.Merged},
	}}
	f.Fuzz(func(t *testing.T, data []byte) {
		bases := m.decodeBases(data, Options{})
		for name, base := range bases {
			if e, recorded := m.find(name); !recorded || digest(base) != e.Digest {
				t.Errorf("%s: %q is not recorded", name, base)
			}
		}
		written, err := encodeBases(bases)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, len(bases), len(txtar.Parse(written).Files))
		equal(t, bases, m.decodeBases(written, Options{}))
	})
}
