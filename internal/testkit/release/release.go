// Package release builds a release from a working tree, to test it before it is tagged.
//
// [Copy] copies the files in git, [Pack] writes both modules at a version to a file-based module proxy,
// and [Next] returns the next version.
package release

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// runtimeDir is the directory of the runtime's module.
const runtimeDir = "runtime"

// Next returns the version after the highest tag, as in v0.2.0 after v0.1.3. It ignores other tags and
// prereleases.
func Next(tags []string) string {
	highest := "v0.0.0"
	for _, tag := range tags {
		if semver.IsValid(tag) && semver.Prerelease(tag) == "" && semver.Compare(tag, highest) > 0 {
			highest = semver.Canonical(tag)
		}
	}
	var major, minor int
	if _, err := fmt.Sscanf(highest, "v%d.%d.", &major, &minor); err != nil {
		return highest // an unrealistically large number
	}
	return fmt.Sprintf("v%d.%d.0", major, minor+1)
}

// Copy copies the files below from that git does not ignore and that keep accepts by their
// slash-separated path. edit may change their content.
func Copy(ctx context.Context, from, to string, keep func(path string) bool, edit func([]byte) []byte) error {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = from, &stderr
	list, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w\n%s", err, &stderr)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if !keep(name) {
			continue
		}
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name), edit); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, edit func([]byte) []byte) error {
	info, err := os.Lstat(from)
	if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
		return nil // a deleted file, or a link, which modules do not have
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, edit(data), info.Mode().Perm())
}

// Pack writes the runtime and the root module in src to the proxy directory, both at the version. It
// changes go.mod in src as for a tag: no replace directives, and the runtime required by version.
func Pack(src, proxy, version string) error {
	name := filepath.Join(src, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(name, data, nil)
	if err != nil {
		return err
	}
	root := module.Version{Path: mod.Module.Mod.Path, Version: version}
	runtime := module.Version{Path: path.Join(root.Path, runtimeDir), Version: version}
	sums, err := pack(filepath.Join(src, runtimeDir), proxy, runtime)
	if err != nil {
		return err
	}
	if err := tag(src, mod, runtime, sums); err != nil {
		return err
	}
	_, err = pack(src, proxy, root)
	return err
}

// tag changes the root module as for a tag.
func tag(src string, mod *modfile.File, runtime module.Version, sums string) error {
	for _, r := range mod.Replace {
		if err := mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	if err := mod.AddRequire(runtime.Path, runtime.Version); err != nil {
		return err
	}
	mod.Cleanup()
	data, err := mod.Format()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(src, "go.mod"), data, 0o644); err != nil { //nolint:gosec // the directory is the caller's copy
		return err
	}
	file, err := os.OpenFile(filepath.Join(src, "go.sum"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(sums); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// pack writes a module to the proxy in the layout of the module proxy protocol, and returns its lines of
// go.sum.
func pack(dir, proxy string, m module.Version) (sums string, err error) {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	base := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	info, err := json.Marshal(map[string]string{"Version": m.Version})
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, m, dir); err != nil {
		return "", fmt.Errorf("pack %s: %w", m, err)
	}
	for name, data := range map[string][]byte{
		"list": []byte(m.Version + "\n"), m.Version + ".info": info, m.Version + ".mod": mod, m.Version + ".zip": archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(base, name), data, 0o644); err != nil {
			return "", err
		}
	}
	files, err := dirhash.HashZip(filepath.Join(base, m.Version+".zip"), dirhash.Hash1)
	if err != nil {
		return "", err
	}
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(mod)), nil
	})
	return fmt.Sprintf("%[1]s %[2]s %[3]s\n%[1]s %[2]s/go.mod %[4]s\n", m.Path, m.Version, files, modSum), err
}
