package templates

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"github.com/observability-first/scaffold/templates/spec"
)

// files contains the templates of any service. The prefix "all:" includes dotfiles.
//
//go:embed all:files
var files embed.FS

// Digest returns the digest of the embedded templates, sha256:..., which identifies them even
// between two versions.
func Digest() (string, error) {
	sum := sha256.New()
	err := addFiles(sum, "", files)
	for _, p := range spec.AllParts() {
		err = errors.Join(err, addFiles(sum, p.Name+"/", p.Templates))
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), err
}

// addFiles writes all files of a directory.
func addFiles(to io.Writer, prefix string, dir fs.FS) error {
	return fs.WalkDir(dir, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(to, "%s%s %d\n%s", prefix, path, len(data), data)
		return err
	})
}

// Render returns the files of the service, without its state. An error is a defect of a
// template: a valid spec renders.
func Render(service spec.Service, opts RenderOptions) (Tree, error) {
	v, err := newView(service, opts)
	if err != nil {
		return nil, err
	}
	out, err := v.files(entries(v))
	parts, partsErr := v.partFiles()
	more, compileErr := v.compiled()
	if err := errors.Join(err, partsErr, compileErr); err != nil {
		return nil, err
	}
	return NewTree(slices.Concat(out, parts, more)...)
}

// RenderRepository returns the files of the service at the root of its repository, with paths
// relative to the root. It returns none if the service is the repository.
func RenderRepository(service spec.Service, opts RenderOptions) (Tree, error) {
	if service.Deploy.Directory == "" {
		return nil, nil
	}
	v, err := newView(service, opts)
	if err != nil {
		return nil, err
	}
	out, err := v.files(atRoot(v))
	if err != nil {
		return nil, err
	}
	return NewTree(out...)
}

// files renders the entries that the service has.
func (v view) files(entries []entry) ([]File, error) {
	var out []File
	var errs []error
	for _, e := range entries {
		if e.when != nil && !e.when(v) {
			continue
		}
		v.Environment = e.environment
		data, err := render(files, "files/service/"+e.template, v)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.path, err))
			continue
		}
		out = append(out, File{Path: e.path, Mode: cmp.Or(e.mode, 0o644), Data: data, Owner: e.owner, Was: e.was})
	}
	return out, errors.Join(errs...)
}

// newTemplate returns a template without text.
func newTemplate(v view) *template.Template {
	return template.New("").Option("missingkey=error").Funcs(template.FuncMap{"json": jsonText, "literal": literal, "hcl": hclText, "indent": indent, "structOf": structOf, "slot": v.slot})
}

// render executes a template and formats Go files. Go files that do not parse are an error.
func render(from fs.FS, name string, v view) ([]byte, error) {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return nil, err
	}
	t, err := newTemplate(v).New(name).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, v); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(name, ".go.tmpl") {
		return buf.Bytes(), nil
	}
	source, err := format.Source(buf.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w in:\n%s", err, buf.Bytes())
	}
	return source, nil
}

func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// literal escapes $ for relabelling, which reads $1 as a group.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// indent returns the lines of a YAML list as a value of a key that is indented by two spaces.
func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		if line != "\n" {
			out.WriteString("  ")
		}
		out.WriteString(line)
	}
	return out.String()
}

// hclText returns a Terraform string: JSON without interpolation.
func hclText(text string) (string, error) {
	quoted, err := jsonText(text)
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quoted), err
}
