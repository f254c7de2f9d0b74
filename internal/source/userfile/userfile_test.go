package userfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

func TestRegularFilesAreReadUpToTheLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		name, file, want string
		size             int
	}{
		{"at the limit", "a", "", 1 << 20},
		{"beyond the limit", "b", "larger than 1 MiB; split it, or pass another file", 1<<20 + 1},
		{"a directory", ".", "is a directory; pass a file", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(dir, tt.file)
			if tt.file != "." {
				if err := os.WriteFile(name, []byte(strings.Repeat("x", tt.size)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			src, err := userfile.Read(name, userfile.Limit)
			want := ""
			if tt.want != "" {
				want = filepath.ToSlash(name) + ": " + tt.want
			}
			if got := message(err); got != want || err == nil && len(src) != tt.size {
				t.Errorf("got %d bytes and %q, want %q", len(src), got, want)
			}
			if tt.file == "." {
				return
			}
			if _, err := userfile.ReadFS(os.DirFS(dir), tt.file, userfile.Limit); (err == nil) != (tt.want == "") {
				t.Errorf("in a file system: %v", err)
			}
		})
	}
	if _, err := userfile.Read(filepath.Join(dir, "none"), userfile.Limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestMarked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		want      bool
	}{
		{"a key", "# rules\ngroups:\n- name: a\n", true},
		{"a key with a value", "groups: []", true},
		{"a quoted key", `"groups": []`, true},
		{"Windows line ends and a byte order mark", "\ufeffa: b\r\ngroups: []\r\n", true},
		{"compact JSON", `{"a":{"b":1},"groups":[]}`, true},
		{"indented JSON", "{\n  \"groups\": []\n}", true},
		{"a space before the colon", "groups : []", true},
		{"a space before the colon of JSON", "{\n  \"groups\" : []\n}", true},
		{"an explicit key", "? groups\n: []", true},
		{"an explicit key of another name", "? groupsies\n: []", false},
		{"a key further in", "a:\n  groups: []\n", false},
		{"a value", "a: groups:", false},
		{"another key", "groupsies: []", false},
		{"nothing", "", false},
	} {
		if got := userfile.Marked([]byte(tt.src), "groups:"); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
	if !userfile.Marked([]byte("apiVersion :   'scaffold/v1'"), "apiVersion: scaffold") {
		t.Error("spaces and quotes of a value matter")
	}
	if userfile.Marked([]byte("kind : a :b"), "kind: a:b") {
		t.Error("a space before the colon of a value does not matter")
	}
}
