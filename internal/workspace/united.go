package workspace

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
	"golang.org/x/tools/txtar"

	"github.com/observability-first/scaffold/internal/merge"
	"github.com/observability-first/scaffold/templates"
)

// When two branches have changed a service, git merges its state, too: .gitattributes unites the lines of both. A path
// may then have several lines in the manifest, one for each version that scaffold wrote.

// decodeUnited reads a manifest that git merged, with or without conflict markers.
func decodeUnited(data []byte) (manifest, error) {
	if !bytes.HasSuffix(bytes.TrimSpace(withoutCR(data)), []byte("]\n}")) {
		return manifest{}, errors.New("the end is missing")
	}
	m := manifest{united: map[string][]string{}}
	inFiles := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ",")
		var err error
		switch {
		case strings.HasSuffix(line, ": ["):
			inFiles = line == `"files": [`
		case inFiles && strings.HasPrefix(line, "{"):
			var e entry
			err = strict(line, &e)
			m.Files = append(m.Files, e)
		case strings.HasPrefix(line, `{"`):
			var l Layer
			err = strict(line, &l)
			if !slices.ContainsFunc(m.Layers, func(other Layer) bool { return other.Name == l.Name }) {
				m.Layers = append(m.Layers, l)
			}
		case strings.HasPrefix(line, `"`):
			var head manifest
			err = strict("{"+line+"}", &head)
			m.Schema = max(m.Schema, head.Schema)
			if semver.Compare(m.Generator, head.Generator) < 0 || m.Generator == "" {
				m.Generator = head.Generator
			}
		case slices.Contains([]string{"", "{", "}", "]", "======="}, line), strings.HasPrefix(line, "<<<<<<< "), strings.HasPrefix(line, "||||||| "), strings.HasPrefix(line, ">>>>>>> "):
		default:
			err = errors.New("not a line of a manifest")
		}
		if err != nil {
			return manifest{}, err
		}
	}
	m = m.joined()
	return m, m.check()
}

// strict decodes JSON without unknown keys.
func strict(text string, to any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

// joined returns the manifest with one entry for each path.
func (m manifest) joined() manifest {
	slices.SortStableFunc(m.Files, func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
	var out []entry
	for _, e := range m.Files {
		if len(out) == 0 || out[len(out)-1].Path != e.Path {
			out = append(out, e)
		}
		m.united[e.Path] = append(m.united[e.Path], e.Digest)
	}
	m.Files = out
	return m
}

// unite decides for each file of a manifest that git merged what scaffold wrote last.
func (w *Workspace) unite() error {
	if w.old.united == nil {
		return nil
	}
	archive, err := w.read(w.opts.basePath())
	if err != nil {
		return err
	}
	bases := map[string][]byte{}
	for _, f := range txtar.Parse(unitedArchive(archive.data)).Files {
		if _, found := bases[f.Name]; !found {
			bases[f.Name] = f.Data
		}
	}
	for i := range w.old.Files {
		e := &w.old.Files[i]
		digests := w.old.united[e.Path]
		if len(digests) < 2 {
			continue
		}
		d, err := w.read(e.Path)
		if err != nil {
			return err
		}
		base, found := bases[e.Path]
		if e.Path == w.opts.Spec || slices.Contains(digests, digest(d.data)) {
			e.Digest = digest(d.data)
			continue
		}
		e.Digest = e.united(d, base, found)
	}
	return nil
}

// united returns the digest of what scaffold wrote last: what git made of generated parts, and of a file that it merged
// as its base. Else the user edited the file, and scaffold wrote the base.
func (e entry) united(d disk, base []byte, found bool) string {
	begin, end, err := templates.FindBlock(d.data)
	switch {
	case e.Owner == templates.Block && err == nil:
		return digest(d.data[begin:end])
	case e.Owner == templates.Generated, found && digest(unitedText(d.data, base)) == digest(base):
		return digest(d.data)
	case found:
		return digest(base)
	}
	return e.Digest
}

// unitedText resolves the conflicts of git between lines that scaffold wrote.
func unitedText(data, base []byte) []byte {
	return merge.Union(withoutCR(data), func(lines []byte) bool { return bytes.Contains(base, lines) })
}

// unitedArchive resolves the conflicts of git in the archive of bases.
func unitedArchive(archive []byte) []byte {
	if merge.Marked(archive) == 0 {
		return archive
	}
	return merge.Union(withoutCR(archive), func([]byte) bool { return true })
}

func withoutCR(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }
