package merge_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/merge"
)

func lines(text string) []byte { return []byte(strings.ReplaceAll(text, " ", "\n") + "\n") }

func TestText(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		base, mine, next, want string
		conflicts              bool
	}{
		"only mine":        {"a b c", "a x c", "a b c", "a x c", false},
		"only new":         {"a b c", "a b c", "a b y", "a b y", false},
		"both the same":    {"a b c", "a x c", "a x c", "a x c", false},
		"different parts":  {"a b c d e", "x b c d e", "a b c d y", "x b c d y", false},
		"the same part":    {"a b c", "a x c", "a y c", "a <<<<<<<_yours x |||||||_as_scaffold_wrote_it_last b ======= y >>>>>>>_new_from_scaffold c", true},
		"removed by both":  {"a b c", "a c", "a c", "a c", false},
		"removed, changed": {"a b c d", "a c d", "a y c d", "a <<<<<<<_yours |||||||_as_scaffold_wrote_it_last b ======= y >>>>>>>_new_from_scaffold c d", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []string{"\n", "\r\n"} {
				mine := bytes.ReplaceAll(lines(tc.mine), []byte("\n"), []byte(end))
				r, err := merge.File("Makefile", merge.Sides{Base: lines(tc.base), Mine: mine, New: lines(tc.next)})
				if err != nil {
					t.Fatal(err)
				}
				want := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(tc.want, " ", end), "_", " ")+end, "\r\n", "\n")
				if got := string(bytes.ReplaceAll(r.Data, []byte("\r\n"), []byte("\n"))); got != want || r.Conflicts != tc.conflicts {
					t.Errorf("got %q, conflicts %t; want %q", got, r.Conflicts, want)
				}
				if marked := merge.Marked(r.Data); (marked > 0) != tc.conflicts {
					t.Errorf("a marker in line %d, conflicts %t", marked, tc.conflicts)
				}
			}
		})
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	file := func(imports string) []byte {
		return []byte("package a\n\nimport (\n\t\"fmt\"\n\n" + strings.ReplaceAll(imports, "+", "\n") + "\n)\n\nvar x = 1\n")
	}
	const a, b, c, d, alias = "\t\"x.test/a\"", "\t\"x.test/b\"", "\t\"x.test/c\"", "\t\"x.test/d\"", "\tmy \"x.test/bb\""
	for name, tc := range map[string]struct{ base, mine, next, want string }{
		"both added":             {a, a + "+" + d, a + "+" + b, a + "+" + b + "+" + d},
		"with a name":            {a, a + "+" + alias, a + "+" + c, a + "+" + alias + "+" + c},
		"both added the same":    {a, a + "+" + c + "+" + d, a + "+" + b + "+" + c, a + "+" + b + "+" + c + "+" + d},
		"one added, one removed": {a + "+" + b, a + "+" + b + "+" + c, a, a + "+" + c},
	} {
		r, err := merge.File("main.go", merge.Sides{Base: file(tc.base), Mine: file(tc.mine), New: file(tc.next)})
		if err != nil || r.Conflicts || string(r.Data) != string(file(tc.want)) {
			t.Errorf("%s: got conflicts %t, %v\n%s\nwant\n%s", name, r.Conflicts, err, r.Data, file(tc.want))
		}
	}
	code := func(imports, value string) []byte {
		return bytes.Replace(file(imports), []byte("x = 1"), []byte("x = "+value), 1)
	}
	r, err := merge.File("main.go", merge.Sides{Base: code(a, "1"), Mine: code(a+"+"+d, "2"), New: code(a+"+"+b, "3")})
	if err != nil || !r.Conflicts || bytes.Count(r.Data, []byte("<<<<<<< yours")) != 1 || !bytes.Contains(r.Data, []byte(b+"\n"+d+"\n)")) {
		t.Errorf("got conflicts %t, %v\n%s\nwant one, in the code", r.Conflicts, err, r.Data)
	}
}

func TestOtherFormats(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]merge.Sides{
		"api/openapi.json": {Base: []byte("{}\n"), Mine: []byte(`{"a":1}` + "\n"), New: []byte(`{"b":1}` + "\n")},
		"logo.png":         {Base: []byte("\x00a"), Mine: []byte("\x00b"), New: []byte("\x00c")},
	} {
		r, err := merge.File(name, s)
		if err != nil || !r.Conflicts || !bytes.Equal(r.Data, s.Mine) {
			t.Errorf("%s: got %q, %t, %v; want the user's file and a conflict", name, r.Data, r.Conflicts, err)
		}
	}
}

func TestWithoutGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := merge.File("Makefile", merge.Sides{Base: []byte("a\n"), Mine: []byte("b\n"), New: []byte("c\n")})
	if err == nil || err.Error() != "git is not installed, and merges need it; install git" {
		t.Errorf("got %v", err)
	}
}

// A stub that takes the place of git must not empty a file.
func TestGitThatDoesNotMerge(t *testing.T) {
	for name, script := range map[string]string{
		"fails":            "echo broken >&2; exit 1",
		"not found":        "exit 127",
		"succeeds":         "exit 0",
		"prints a warning": "echo warning: something; exit 0",
		"loses the user's": "cat new; exit 0",
		"hangs":            "(sleep 5 & ) ; cat mine base new; exit 0",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		for _, file := range []string{"main.go", "Makefile", "a.json", "a.yaml"} {
			r, err := merge.File(file, merge.Sides{Base: lines("a b c d e"), Mine: lines("x b c d e"), New: lines("a b c d y")})
			if err == nil || !strings.HasPrefix(err.Error(), "git merge-file does not merge: ") {
				t.Errorf("%s, %s: got %q, %v; want an error", name, file, r.Data, err)
			}
		}
	}
}

func TestMarked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"Title\n=======\ntext\n": 0, "a <<<<<<< b\n": 0, "<<<<<<<\n": 0, "a\n<<<<<<< yours\n": 2, "a\nb\n>>>>>>> new\n": 0, "a\nb\n>>>>>>> new from scaffold\n": 3, "||||||| as scaffold wrote it last\n": 1,
		"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> d\n": 2, "write `<<<<<<< HEAD` in it\n<<<<<<< HEAD\n": 0, "<<<<<<< HEAD\r\n=======\r\n>>>>>>> d\r\n": 1,
	} {
		if got := merge.Marked([]byte(text)); got != want {
			t.Errorf("%q: got line %d, want %d", text, got, want)
		}
	}
}

func TestModule(t *testing.T) {
	t.Parallel()
	base := "module a.test/orders\n\ngo 1.26.0\n\nrequire (\n\tx.test/chi/v5 v5.1.0\n\tx.test/old v1.0.0\n)\n\nrequire x.test/low v1.0.0 // indirect\n\nreplace x.test/runtime => ../runtime\n"
	for name, tc := range map[string]struct{ mine, next, want string }{
		"requirements are united": {
			strings.Replace(base, "\tx.test/old", "\tx.test/mine v0.1.0\n\tx.test/old", 1), strings.Replace(base, "\tx.test/old", "\tx.test/new v1.2.0\n\tx.test/old", 1),
			"module a.test/orders\n\ngo 1.26.0\n\nrequire (\n\tx.test/chi/v5 v5.1.0\n\tx.test/mine v0.1.0\n\tx.test/new v1.2.0\n\tx.test/old v1.0.0\n)\n\nrequire x.test/low v1.0.0 // indirect\n\nreplace x.test/runtime => ../runtime\n",
		},
		"the higher version wins": {
			strings.Replace(base, "v5.1.0", "v5.3.0", 1), strings.Replace(strings.Replace(base, "v5.1.0", "v5.2.0", 1), "low v1.0.0", "low v1.10.0", 1),
			strings.Replace(strings.Replace(base, "v5.1.0", "v5.3.0", 1), "low v1.0.0", "low v1.10.0", 1),
		},
		"what scaffold removed": {
			strings.Replace(base, "go 1.26.0", "go 1.27.0", 1), strings.Replace(base, "\tx.test/old v1.0.0\n", "", 1),
			"module a.test/orders\n\ngo 1.27.0\n\nrequire x.test/chi/v5 v5.1.0\n\nrequire x.test/low v1.0.0 // indirect\n\nreplace x.test/runtime => ../runtime\n",
		},
		"toolchains, tools and exclusions": {
			strings.Replace(base, "go 1.26.0\n", "go 1.26.0\n\ntoolchain go1.26.8\n\ntool x.test/mine\n", 1),
			strings.Replace(base, "go 1.26.0\n", "go 1.26.0\n\ntoolchain go1.26.10\n\ntool x.test/new\n\nexclude x.test/low v1.1.0\n", 1),
			strings.Replace(base, "go 1.26.0\n", "go 1.26.0\n\ntoolchain go1.26.10\n\ntool (\n\tx.test/mine\n\tx.test/new\n)\n", 1) + "\nexclude x.test/low v1.1.0\n",
		},
		"what the user removed or replaced": {
			strings.Replace(strings.Replace(base, "\tx.test/old v1.0.0\n", "", 1), "../runtime", "../../mine", 1), strings.Replace(strings.Replace(base, "go 1.26.0", "go 1.26.1", 1), "../runtime", "../lib/runtime", 1),
			"module a.test/orders\n\ngo 1.26.1\n\nrequire x.test/chi/v5 v5.1.0\n\nrequire x.test/low v1.0.0 // indirect\n\nreplace x.test/runtime => ../../mine\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := merge.File("go.mod", merge.Sides{Base: []byte(base), Mine: []byte(tc.mine), New: []byte(tc.next)})
			if err != nil || r.Conflicts || string(r.Data) != tc.want {
				t.Errorf("got %t, %v\n%s\nwant\n%s", r.Conflicts, err, r.Data, tc.want)
			}
		})
	}
	r, err := merge.File("go.sum", merge.Sides{Base: []byte("a\nb\n"), Mine: []byte("a\nb\nm\n"), New: []byte("a\nc\n")})
	if err != nil || string(r.Data) != "a\nb\nc\nm\n" {
		t.Errorf("go.sum: %q, %v", r.Data, err)
	}
}
