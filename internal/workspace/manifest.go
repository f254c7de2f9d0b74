package workspace

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/observability-first/scaffold/templates"
)

const (
	// DefaultState is the default path of the state in the directory of a service.
	DefaultState = ".scaffold"
	// schemaVersion is incremented if an older scaffold would misread the manifest.
	schemaVersion = 2
	firstSchema   = 1
)

// manifest records what scaffold wrote. Its format is public.
type manifest struct {
	Schema    int     `json:"schema"`
	Generator string  `json:"generator"`
	Layers    []Layer `json:"layers"`
	Files     []entry `json:"files"`

	// united, if git merged the manifest, has the digests of both branches by path, see unite.
	united map[string][]string
}

// entry records a file. Digest is that of the generated file, for a block file that of its block. A
// block file that is no longer generated is removed if block and rest are unchanged.
type entry struct {
	Path   string          `json:"path"`
	Digest string          `json:"digest"`
	Rest   string          `json:"rest,omitempty"` // digest of a block file without its block
	Owner  templates.Owner `json:"owner"`
	Mode   mode            `json:"mode"`
	Open   bool            `json:"open,omitempty"` // the file has a conflict that is not resolved
}

// mode is encoded in octal.
type mode fs.FileMode

func (m mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

func (m *mode) UnmarshalText(text []byte) error {
	bits, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || fs.FileMode(bits)&^fs.ModePerm != 0 {
		return fmt.Errorf("mode %q is not octal permission bits", text)
	}
	*m = mode(bits)
	return nil
}

func (m manifest) find(name string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(m.Files, name, func(e entry, p string) int { return cmp.Compare(e.Path, p) })
	if !ok {
		return entry{}, false
	}
	return m.Files[i], true
}

// encode writes one line for each file, to avoid conflicts in git merges.
func (m manifest) encode() ([]byte, error) {
	generator, err := json.Marshal(m.Generator)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"schema\": %d,\n  \"generator\": %s", m.Schema, generator)
	if err := encodeLines(&b, "layers", m.Layers); err != nil {
		return nil, err
	}
	if err := encodeLines(&b, "files", m.Files); err != nil {
		return nil, err
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

func encodeLines[T any](b *bytes.Buffer, key string, items []T) error {
	fmt.Fprintf(b, ",\n  %q: [", key)
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		line, err := json.Marshal(item)
		if err != nil {
			return err
		}
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]")
	return nil
}

func (o Options) state() string { return cmp.Or(o.State, DefaultState) }

// manifestPath returns the path of the manifest.
func (o Options) manifestPath() string { return o.state() + "/manifest.json" }

func (w *Workspace) readManifest() (manifest, error) {
	name := w.opts.manifestPath()
	d, err := w.read(name)
	switch {
	case err != nil:
		return manifest{}, err
	case d.obstacle != "":
		return manifest{}, fmt.Errorf("%s: %s; move it away", name, d.obstacle)
	case !d.exists:
		return manifest{}, nil
	}
	return decodeManifest(d.data, w.opts)
}

func decodeManifest(data []byte, opts Options) (manifest, error) {
	// The version first: a newer manifest may have unknown keys.
	var head struct {
		Schema    int    `json:"schema"`
		Generator string `json:"generator"`
	}
	err := json.Unmarshal(data, &head)
	if err == nil && (head.Schema > schemaVersion || newer(head.Generator, opts.Generator)) {
		return manifest{}, &NewerStateError{Manifest: opts.manifestPath(), State: head.Generator, Own: opts.Generator, Command: opts.Command}
	}
	if err == nil && head.Schema < firstSchema {
		return manifest{}, fmt.Errorf("%s: schema %d is older than %d, the first that scaffold reads; generate the service in another directory and copy your edits there", opts.manifestPath(), head.Schema, firstSchema)
	}
	var m manifest
	if err == nil {
		err = strict(string(data), &m)
	}
	if err == nil {
		err = m.check()
	}
	if err == nil {
		return m, nil
	}
	m, unitedErr := decodeUnited(data)
	switch {
	case unitedErr != nil:
		return manifest{}, damaged(opts.manifestPath(), data, err)
	case newer(m.Generator, opts.Generator):
		return manifest{}, &NewerStateError{Manifest: opts.manifestPath(), State: m.Generator, Own: opts.Generator, Command: opts.Command}
	}
	return m, nil
}

// inGit reports whether a path is in the directory of a git repository.
func inGit(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.EqualFold(part, ".git") })
}

func (m manifest) check() error {
	switch {
	case m.Schema < firstSchema || m.Schema > schemaVersion:
		return fmt.Errorf("schema %d is unknown", m.Schema)
	case m.Generator == "":
		return errors.New("generator is missing")
	case m.Files == nil:
		return errors.New("files is missing")
	}
	for i, e := range m.Files {
		switch {
		case e.Path == "." || !fs.ValidPath(e.Path) || inGit(e.Path):
			return fmt.Errorf("%q is not the path of a generated file", e.Path)
		case i > 0 && m.Files[i-1].Path >= e.Path:
			return fmt.Errorf("%s is a duplicate or out of order", e.Path)
		case !slices.Contains(templates.Owners(), e.Owner):
			return fmt.Errorf("%s: unknown owner %q", e.Path, e.Owner)
		case e.Digest == "":
			return fmt.Errorf("%s: digest is missing", e.Path)
		}
	}
	return nil
}

// damaged adds advice for the most common cause: a git merge.
func damaged(name string, data []byte, err error) error {
	line := 0
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		line = 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	}
	place := name
	if line > 0 {
		place = fmt.Sprintf("%s:%d", name, line)
	}
	return fmt.Errorf("%s: %w; resolve the git merge with one side of this file and run scaffold generate", place, err)
}

// newer compares released versions. Versions of checkouts are not comparable.
func newer(state, own string) bool {
	return semver.IsValid(state) && semver.IsValid(own) && semver.Compare(state, own) > 0
}

// NewerStateError is the error of state that a newer scaffold wrote.
type NewerStateError struct {
	Manifest   string // path of the manifest
	State, Own string // versions
	Command    string // import path of the scaffold command
}

// Error returns the message with the command that installs the newer version.
func (e *NewerStateError) Error() string {
	version := e.State
	if !semver.IsValid(version) {
		version = "latest"
	}
	return fmt.Sprintf("%s was written by scaffold %s, but this is %s; run `go install %s@%s`",
		e.Manifest, e.State, e.Own, e.Command, version)
}
