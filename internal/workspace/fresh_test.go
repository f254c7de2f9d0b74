package workspace

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFreshAcceptsANewRepository(t *testing.T) {
	t.Parallel()
	if err := Fresh(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := Fresh(dir); err != nil {
		t.Error(err)
	}
	for _, name := range []string{".git/config", ".gitignore", "README", "readme.rst", "LICENSE", "LICENSE-MIT.txt"} {
		put(t, dir, name, "")
	}
	if err := Fresh(dir); err != nil {
		t.Error(err)
	}
}

func TestFreshNamesExistingFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"a file", []string{"main.go"}, " is not empty: it has main.go; choose another --dir"},
		{"many files", []string{"a.go", "b.go", "c/d.go", "README.md"}, " is not empty: it has a.go and 2 more files; choose another --dir"},
		{"a directory with the name of a readme", []string{"README/x"}, " is not empty: it has README; choose another --dir"},
		{"a service", []string{"scaffold.yaml", "a.go"}, " already has a service; run scaffold generate in it, or choose another --dir"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, name := range tt.files {
				put(t, dir, name, "")
			}
			if err := Fresh(dir); err == nil || err.Error() != dir+tt.want {
				t.Errorf("got %v, want %s", err, dir+tt.want)
			}
		})
	}
}

func TestFreshRejectsAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Fresh(path); err == nil || err.Error() != path+" is a file; choose another --dir" {
		t.Errorf("got %v", err)
	}
	want := path + " is a file, so " + filepath.Join(path, "shop") + " cannot be created; choose another --dir"
	if err := Fresh(filepath.Join(path, "shop")); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
