package cli_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/internal/merge"
	"github.com/observability-first/scaffold/templates"
)

// release0 has the services by directory, with the flags of scaffold new; nil if the spec has more.
func release0() map[string][]string {
	module := []string{"--module", "example.com/orders"}
	return map[string][]string{
		"plain":                      module,
		"postgres":                   append(module, "--with", "postgres"),
		"httpclient":                 append(module, "--with", "httpclient"),
		"both":                       nil,
		"repository/services/orders": append(module, "--deploy-directory", "services/orders"),
		"inmodule/services/orders":   {"--in-module", "--deploy-directory", "services/orders"},
	}
}

// Services of release 0 are updated without losing an edit. Without edits they become what scaffold new writes.
func TestRelease0(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("renders services many times")
	}
	trees := readRelease0(t)
	for at, flags := range release0() {
		for seed, edits := range []int{0, 1, 20, 20, 20} {
			t.Run(fmt.Sprintf("%s/%d/%d edits", at, seed, edits), func(t *testing.T) {
				t.Parallel()
				old := upgrade{t: t, at: at, dir: filepath.Join(t.TempDir(), "old"), marks: map[string][]string{}, deleted: map[string]bool{}}
				fresh := upgrade{t: t, at: at, dir: filepath.Join(t.TempDir(), "new")}
				old.unpack(trees)
				old.edit(rand.New(rand.NewPCG(uint64(seed), uint64(len(at)))), edits)
				fresh.create(old, flags, edits)
				old.generate()
				old.compare(fresh, edits > 0 || flags == nil)
				old.resolve()
				before := tree(t, old.dir)
				if status, out, errs := old.scaffold("generate", old.service(), "--runtime", runtimeDir(t)); status != cli.ExitDone || !strings.Contains(out, "is up to date") {
					t.Errorf("generate again: status %d\n%s%s", status, out, errs)
				}
				if diff := cmp.Diff(before, tree(t, old.dir)); diff != "" {
					t.Errorf("the second run is not a no-op:\n%s", diff)
				}
			})
		}
	}
}

// A service of release 0 builds after the update.
func TestEndToEndRelease0(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	s := shop{t, t.TempDir()}
	u := upgrade{t: t, at: "postgres", dir: s.dir}
	u.unpack(readRelease0(t))
	s.dir = u.service()
	if status, out, errs := s.scaffold("generate", s.dir, "--runtime", runtimeDir(t)); status != cli.ExitDone {
		t.Fatalf("generate: status %d\n%s%s", status, out, errs)
	}
	shell(t, s.dir, "go vet ./...")
	s.check(cli.ExitDone)
}

func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../runtime")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// readRelease0 returns the files of all services.
func readRelease0(t *testing.T) map[string]tarFile {
	t.Helper()
	archive, err := os.Open("testdata/release0/trees.tar.zst")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	plain, err := zstd.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	files := map[string]tarFile{}
	for r := tar.NewReader(plain); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = tarFile{data, header.FileInfo().Mode()}
	}
}

type tarFile struct {
	data []byte
	mode fs.FileMode
}

// upgrade is a service of release 0 in its repository.
type upgrade struct {
	t   *testing.T
	at  string // the service in the archive
	dir string // of the service, or of its repository

	marks   map[string][]string // texts of the user by path
	deleted map[string]bool
}

// service returns the directory of the service.
func (u upgrade) service() string {
	_, below, _ := strings.Cut(u.at, "/")
	return filepath.Join(u.dir, filepath.FromSlash(below))
}

func (u upgrade) unpack(files map[string]tarFile) {
	u.t.Helper()
	top, _, _ := strings.Cut(u.at, "/")
	for name, f := range files {
		if below, found := strings.CutPrefix(name, top+"/"); found {
			u.put(filepath.Join(u.dir, filepath.FromSlash(below)), f)
		}
	}
}

func (u upgrade) put(name string, f tarFile) {
	u.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, f.data, f.mode)); err != nil {
		u.t.Fatal(err)
	}
}

// scaffold runs the real program without the questions to services that build.
func (u upgrade) scaffold(args ...string) (status int, out, errs string) {
	u.t.Helper()
	var stdout, stderr bytes.Buffer
	f := cli.System(templates.Render)
	f.Ask = nil
	f.Streams = cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	f.Getenv = func(string) string { return "" }
	status = cli.Main(u.t.Context(), args, f)
	return status, stdout.String(), stderr.String()
}

// create creates the service as head does: with scaffold new if the user edited nothing, else from the spec. The
// repository of plain services is the service.
func (u upgrade) create(old upgrade, flags []string, edits int) {
	u.t.Helper()
	if err := os.MkdirAll(u.service(), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(old.dir, "go.mod")); err == nil && old.dir != old.service() {
		u.put(filepath.Join(u.dir, "go.mod"), tarFile{data, 0o644})
	}
	if edits == 0 && flags != nil {
		shell(u.t, u.dir, "git init --quiet") // scaffold new requires it
		if u.dir != u.service() {
			if err := os.Remove(u.service()); err != nil {
				u.t.Fatal(err)
			}
		}
		if status, _, errs := u.scaffold(append([]string{"new", "orders", "--dir", u.service(), "--owner", "team-a", "--runtime", runtimeDir(u.t)}, flags...)...); status != cli.ExitDone {
			u.t.Fatalf("new: %s", errs)
		}
		return
	}
	u.put(filepath.Join(u.service(), "scaffold.yaml"), tarFile{readFile(u.t, filepath.Join(old.service(), "scaffold.yaml")), 0o644})
	if status, out, errs := u.scaffold("generate", u.service(), "--runtime", runtimeDir(u.t)); status != cli.ExitDone {
		u.t.Fatalf("generate the spec: status %d\n%s%s", status, out, errs)
	}
}

// edit makes random edits of files that a user may edit, and changes the spec.
func (u upgrade) edit(r *rand.Rand, edits int) {
	u.t.Helper()
	if edits == 0 {
		return
	}
	name := filepath.Join(u.service(), "scaffold.yaml")
	u.put(name, tarFile{bytes.Replace(readFile(u.t, name), []byte("owner: team-a\n"), []byte("owner: team-b\nhttp: {port: 9000}\n"), 1), 0o644})
	var state struct {
		Files []struct {
			Path  string          `json:"path"`
			Owner templates.Owner `json:"owner"`
		} `json:"files"`
	}
	if err := json.Unmarshal(readFile(u.t, filepath.Join(u.service(), ".scaffold", "manifest.json")), &state); err != nil {
		u.t.Fatal(err)
	}
	var names []string
	for _, f := range state.Files {
		if (f.Owner == templates.Merged || f.Owner == templates.UserOwned) && f.Path != "scaffold.yaml" {
			names = append(names, f.Path)
		}
	}
	for i := range edits {
		u.editOne(r, names[r.IntN(len(names))], fmt.Sprintf("mark%dx", i))
	}
}

func (u upgrade) editOne(r *rand.Rand, file, mark string) {
	u.t.Helper()
	name := filepath.Join(u.service(), filepath.FromSlash(file))
	kind := r.IntN(5)
	switch {
	case u.deleted[file]:
		return
	case kind == 0:
		file = path.Join(path.Dir(file), mark+".txt")
		u.marks[file] = append(u.marks[file], mark)
		u.put(filepath.Join(u.service(), filepath.FromSlash(file)), tarFile{[]byte(mark + "\n"), 0o644})
		return
	case kind == 1 && path.Base(file) != "go.mod": // without it, the service is in another module
		u.deleted[file] = true
		delete(u.marks, file)
		if err := os.Remove(name); err != nil {
			u.t.Fatal(err)
		}
		return
	}
	lines := strings.SplitAfter(string(readFile(u.t, name)), "\n")
	at := 1 + r.IntN(len(lines)-1)
	line := map[string]string{".go": "// %s\n", ".mod": "// %s\n", ".sum": "%s v1.0.0 h1:x=\n", ".json": "\"%s\": 1,\n", "": "# %s\n"}[path.Ext(file)]
	if line == "" {
		line = "# %s\n"
	}
	if path.Ext(file) == ".json" || path.Ext(file) == ".mod" {
		at = 1
	}
	if kind == 2 && at < len(lines) && at > 1 && !strings.Contains(lines[at], "mark") {
		lines = slices.Delete(lines, at, at+1) // the line is changed
	}
	lines = slices.Insert(lines, at, fmt.Sprintf(line, mark))
	u.marks[file] = append(u.marks[file], mark)
	info, err := os.Stat(name)
	if err != nil {
		u.t.Fatal(err)
	}
	u.put(name, tarFile{[]byte(strings.Join(lines, "")), info.Mode()})
}

func (u upgrade) generate() {
	u.t.Helper()
	if status, out, errs := u.scaffold("generate", u.service(), "--runtime", runtimeDir(u.t)); status != cli.ExitDone && (status != cli.ExitConflict || len(u.open()) == 0) {
		u.t.Fatalf("generate: status %d\n%s%s", status, out, errs)
	}
}

// compare reports edits that are lost, and other files that are not as in the fresh service.
func (u upgrade) compare(fresh upgrade, edited bool) {
	u.t.Helper()
	got, want := tree(u.t, u.dir), tree(u.t, fresh.dir)
	at := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(u.service(), u.dir))+"/", "/")
	isGit := func(name, _ string) bool { return strings.HasPrefix(name, ".git/") }
	maps.DeleteFunc(got, isGit)
	maps.DeleteFunc(want, isGit)
	for file, marks := range u.marks {
		for _, mark := range marks {
			if !strings.Contains(got[at+file], mark) {
				u.t.Errorf("%s lost %s:\n%s", file, mark, got[at+file])
			}
		}
		delete(got, at+file)
		delete(want, at+file)
	}
	for file := range u.deleted {
		if _, found := got[at+file]; found {
			u.t.Errorf("%s is back", file)
		}
		delete(want, at+file)
	}
	if edited { // the state has the edits, too
		isState := func(name, _ string) bool { return strings.HasPrefix(name, at+".scaffold/") }
		maps.DeleteFunc(got, isState)
		maps.DeleteFunc(want, isState)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		u.t.Errorf("not as a new service (-want +got):\n%s", diff)
	}
}

// open returns the files with conflicts.
func (u upgrade) open() []string {
	var names []string
	for name := range tree(u.t, filepath.Join(u.service(), ".scaffold")) {
		if below, found := strings.CutPrefix(name, "open/"); found {
			names = append(names, below)
		}
	}
	return names
}

// resolve keeps the lines of both sides of all conflicts.
func (u upgrade) resolve() {
	u.t.Helper()
	args := []string{"resolve", "--dir", u.service(), "--runtime", runtimeDir(u.t)}
	names := u.open()
	for _, file := range names {
		name := filepath.Join(u.service(), filepath.FromSlash(file))
		u.put(name, tarFile{merge.Union(readFile(u.t, name), func([]byte) bool { return true }), 0o644})
		args = append(args, name)
	}
	if len(names) == 0 {
		return
	}
	if status, out, errs := u.scaffold(args...); status != cli.ExitDone {
		u.t.Fatalf("resolve: status %d\n%s%s", status, out, errs)
	}
	u.generate()
}
