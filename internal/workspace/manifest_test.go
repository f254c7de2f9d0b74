package workspace

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/observability-first/scaffold/templates"
)

func TestManifestHasOneSortedLinePerFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := file("user-owned", "run.sh", "x\r\n")
	script.Mode = 0o755
	apply(t, dir, tree(t, script, file("generated", "a/b.go", "x\n"), file("merged", "Makefile", "x\n"), file("block", "r.md", facts("x"))))
	got, err := os.ReadFile(filepath.Join(dir, recordPath))
	if err != nil {
		t.Fatal(err)
	}
	const x = "sha256:73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac" // of "x\n"
	equal(t, `{
  "schema": 2,
  "generator": "v0.1.0",
  "layers": [
    {"name":"scaffold","version":"v0.1.0","digest":"sha256:0"}
  ],
  "files": [
    {"path":"Makefile","digest":"`+x+`","owner":"merged","mode":"0644"},
    {"path":"a/b.go","digest":"`+x+`","owner":"generated","mode":"0644"},
    {"path":"r.md","digest":"`+digest([]byte(facts("x")))+`","rest":"`+digest(nil)+`","owner":"block","mode":"0644"},
    {"path":"run.sh","digest":"`+x+`","owner":"user-owned","mode":"0755"}
  ]
}
`, string(got))
}

func TestInvalidManifestIsRejected(t *testing.T) {
	t.Parallel()
	const advice = "; resolve the git merge with one side of this file and run scaffold generate"
	files := func(lines string) string {
		return `{"schema": 1, "generator": "v0.1.0", "layers": [], "files": [` + lines + `]}`
	}
	for _, tt := range []struct{ name, manifest, want string }{
		{"a merge in git", "{\n<<<<<<< HEAD\n", ".scaffold/manifest.json:2: invalid character '<' looking for beginning of object key string" + advice},
		{"an unknown key", `{"schema": 1, "zebra": 1}`, `.scaffold/manifest.json: json: unknown field "zebra"` + advice},
		{"an older schema", `{}`, ".scaffold/manifest.json: schema 0 is older than 1, the first that scaffold reads; generate the service in another directory and copy your edits there"},
		{"no generator", `{"schema": 1, "files": []}`, ".scaffold/manifest.json: generator is missing" + advice},
		{"no files", `{"schema": 1, "generator": "v0.1.0"}`, ".scaffold/manifest.json: files is missing" + advice},
		{"no digest", files(`{"path": "a", "owner": "merged", "mode": "0644"}`), ".scaffold/manifest.json: a: digest is missing" + advice},
		{"a path that leads out", files(`{"path": "../x", "digest": "", "owner": "generated", "mode": "0644"}`),
			`.scaffold/manifest.json: "../x" is not the path of a generated file` + advice},
		{"git's own files", files(`{"path": ".git/config", "digest": "", "owner": "generated", "mode": "0644"}`),
			`.scaffold/manifest.json: ".git/config" is not the path of a generated file` + advice},
		{"an unknown owner", files(`{"path": "a", "digest": "", "owner": "x", "mode": "0644"}`), `.scaffold/manifest.json: a: unknown owner "x"` + advice},
		{"a file twice", files(`{"path": "a", "digest": "x", "owner": "user-owned", "mode": "0644"}, {"path": "a", "owner": "user-owned", "mode": "0644"}`),
			".scaffold/manifest.json: a is a duplicate or out of order" + advice},
		{"an invalid mode", files(`{"path": "a", "owner": "user-owned", "mode": "rw"}`),
			`.scaffold/manifest.json: mode "rw" is not octal permission bits` + advice},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, dir, recordPath, tt.manifest)
			if _, err := Open(dir, options("v0.1.0")); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestStateOfANewerScaffoldIsRejectedWithItsVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, state, own, want string }{
		{"a newer release", `{"schema": 1, "generator": "v0.10.0"}`, "v0.9.0", ".scaffold/manifest.json was written by scaffold v0.10.0, but this is v0.9.0; " +
			"run `go install example.org/scaffold/cmd/scaffold@v0.10.0`"},
		{"a newer form from a checkout", `{"schema": 3, "generator": "devel", "new": {}}`, "v0.9.0", ".scaffold/manifest.json was written by scaffold devel, but this is v0.9.0; " +
			"run `go install example.org/scaffold/cmd/scaffold@latest`"},
		{"an older release", `{"schema": 1, "generator": "v0.8.0", "files": []}`, "v0.9.0", ""},
		{"a checkout", `{"schema": 1, "generator": "devel", "files": []}`, "v0.9.0", ""},
		{"read by a checkout", `{"schema": 1, "generator": "v0.9.0", "files": []}`, "devel", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, dir, recordPath, tt.state)
			w, err := Open(dir, options(tt.own))
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			newer := (*NewerStateError)(nil)
			if !errors.As(err, &newer) || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schema": 1, "generator": "v0.1.0", "layers": [], "files": [{"path": "a", "digest": "x", "owner": "user-owned", "mode": "0644"}]}`))
	f.Add([]byte(`{"schema": 3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data, options("v0.1.0"))
		if err != nil {
			if !strings.HasPrefix(err.Error(), recordPath) {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		written, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeManifest(written, options("v0.1.0"))
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		for _, e := range m.Files {
			if got, ok := again.find(e.Path); !ok || got != e {
				t.Errorf("got %v, want %v", got, e)
			}
		}
	})
}

func TestDigestsIgnoreLineEnds(t *testing.T) {
	t.Parallel()
	if digest([]byte("a\r\nb\r\n")) != digest([]byte("a\nb\n")) {
		t.Error("turned line ends have another digest")
	}
	if digest([]byte("a\rb")) == digest([]byte("ab")) {
		t.Error("a carriage return inside a line does not count")
	}
}

func TestManifestAcceptsAllOwners(t *testing.T) {
	t.Parallel()
	equal(t, []templates.Owner{"generated", "merged", "user-owned", "block"}, templates.Owners())
}

// FuzzDecodeManifest checks that a decoded manifest encodes with the same meaning.
func FuzzDecodeManifest(f *testing.F) {
	whole, err := manifest{Schema: schemaVersion, Generator: "v0.1.0", Layers: []Layer{{"scaffold", "v0.1.0", "sha256:0"}}, Files: []entry{
		{Path: "a.go", Digest: "sha256:1", Owner: "generated", Mode: 0o644}, {Path: "b/c.sh", Digest: "sha256:2", Owner: "merged", Mode: 0o755},
	}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "{}", "null", "[]", string(whole), string(whole[:len(whole)/2]), "<<<<<<< ours\n" + string(whole),
		`{"schema":1,"generator":"v9.0.0"}`, `{"schema":1,"files":[{"path":"../x"}]}`, `{"schema":1,"files":[{"path":"a","owner":"generated","mode":"9"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data, options("v0.1.0"))
		if err != nil {
			if !strings.HasPrefix(err.Error(), recordPath) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeManifest(again, options("v0.1.0"))
		if diff := cmp.Diff(m, back, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(manifest{})); err != nil || diff != "" {
			t.Errorf("written back as\n%s\nit reads (-want +got):\n%s%v", again, diff, err)
		}
	})
}
