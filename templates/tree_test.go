package templates_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/templates"
)

const block = "# Runbook\n\n" + templates.BlockBegin + " written by scaffold -->\nfacts\n" + templates.BlockEnd + "\n\nbody\n"

func file(path string) templates.File {
	return templates.File{Path: path, Mode: 0o644, Owner: templates.UserOwned, Data: []byte("x")}
}

func TestNewTreeSortsWithoutChangingItsInput(t *testing.T) {
	t.Parallel()
	files := []templates.File{file("b"), file("a/c"), file("a.go")}
	tree, err := templates.NewTree(files...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range tree {
		got = append(got, f.Path)
	}
	if diff := cmp.Diff([]string{"a.go", "a/c", "b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if files[0].Path != "b" {
		t.Error("the input was sorted, too")
	}
}

func TestFindReturnsEachPath(t *testing.T) {
	t.Parallel()
	tree, err := templates.NewTree(file("a"), file("b/c"))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := tree.Find("b/c"); !ok || f.Path != "b/c" {
		t.Errorf("got %v, %v", f, ok)
	}
	if _, ok := tree.Find("b"); ok {
		t.Error("a directory was found as a file")
	}
}

func TestNewTreeRejectsInvalidFiles(t *testing.T) {
	t.Parallel()
	with := func(change func(*templates.File)) templates.File {
		f := file("a")
		change(&f)
		return f
	}
	for _, tt := range []struct {
		name  string
		files []templates.File
		want  string
	}{
		{"above the root", []templates.File{file("../a")}, `"../a": a path is relative, clean and uses forward slashes`},
		{"absolute", []templates.File{file("/a")}, `"/a": a path is relative, clean and uses forward slashes`},
		{"unclean", []templates.File{file("a//b")}, `"a//b": a path is relative, clean and uses forward slashes`},
		{"the root", []templates.File{file(".")}, `".": a path is relative, clean and uses forward slashes`},
		{"empty", []templates.File{file("")}, `"": a path is relative, clean and uses forward slashes`},
		{"backslash", []templates.File{file(`a\b`)}, `"a\\b": a path holds no character that a file system refuses`},
		{"Windows stream", []templates.File{file("a:b")}, `"a:b": a path holds no character that a file system refuses`},
		{"duplicate path", []templates.File{file("a"), file("a")}, "a: the tree already holds a"},
		{"duplicate path with other case", []templates.File{file("README.md"), file("Readme.md")}, "Readme.md: the tree already holds README.md"},
		{"file and directory", []templates.File{file("cmd"), file("cmd/a/main.go")}, "cmd/a/main.go: its directory is the file cmd"},
		{"mode of a directory", []templates.File{with(func(f *templates.File) { f.Mode = fs.ModeDir | 0o755 })},
			"a: mode drwxr-xr-x; use permission bits that let the owner read"},
		{"missing mode", []templates.File{with(func(f *templates.File) { f.Mode = 0 })},
			"a: mode ----------; use permission bits that let the owner read"},
		{"unknown owner", []templates.File{with(func(f *templates.File) { f.Owner = "theirs" })}, `a: unknown owner "theirs"`},
		{"block without markers", []templates.File{with(func(f *templates.File) { f.Owner = templates.Block })},
			"a: the marker <!-- scaffold:facts:begin … --> is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree, err := templates.NewTree(tt.files...)
			if err == nil {
				t.Fatalf("got %v, want an error", tree)
			}
			if got := err.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFindBlockIncludesMarkers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{block, strings.ReplaceAll(block, "\n", "\r\n"), strings.TrimSuffix(block, "\n\nbody\n")} {
		begin, end, err := templates.FindBlock([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := text[begin:end]
		if !strings.HasPrefix(got, templates.BlockBegin) || !strings.HasSuffix(got, templates.BlockEnd) || !strings.Contains(got, "facts") {
			t.Errorf("got %q", got)
		}
	}
}

func TestFindBlockReportsInvalidMarkers(t *testing.T) {
	t.Parallel()
	const begin, end = templates.BlockBegin + " -->\n", templates.BlockEnd + "\n"
	for _, tt := range []struct{ name, text, want string }{
		{"no markers", "body", "the marker <!-- scaffold:facts:begin … --> is missing"},
		{"unclosed first marker", templates.BlockBegin + "\n" + end, "the marker <!-- scaffold:facts:begin … --> is missing"},
		{"no last marker", begin + "facts", "the marker <!-- scaffold:facts:end --> is missing"},
		{"no first marker", "facts\n" + end, "the marker <!-- scaffold:facts:begin … --> is missing"},
		{"duplicate first marker", begin + begin + end, "the marker <!-- scaffold:facts:begin appears twice; remove one"},
		{"duplicate last marker", begin + end + end, "the marker <!-- scaffold:facts:end --> appears twice; remove one"},
		{"markers in wrong order", end + begin, "the markers of the block are in the wrong order"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := templates.FindBlock([]byte(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzFindBlock(f *testing.F) {
	f.Add([]byte(block))
	f.Add([]byte(templates.BlockEnd + templates.BlockBegin))
	f.Fuzz(func(t *testing.T, data []byte) {
		begin, end, err := templates.FindBlock(data)
		if err == nil && (begin < 0 || begin >= end || end > len(data)) {
			t.Errorf("got %d to %d of %d", begin, end, len(data))
		}
	})
}
