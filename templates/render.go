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
	"io/fs"
	"strings"
	"text/template"

	"github.com/observability-first/scaffold/templates/spec"
)

// files holds every template. The prefix "all:" keeps dotfiles in.
//
//go:embed all:files
var files embed.FS

// Digest names the embedded templates, as sha256:..., so that a service knows
// which ones made it even between two versions.
func Digest() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
		return err
	})
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), err
}

// Render returns the files of the service that the spec describes, without
// those of its state. An error is a defect of a template: a valid spec renders.
func Render(service spec.Service, opts RenderOptions) (Tree, error) {
	v, err := newView(service, opts)
	if err != nil {
		return nil, err
	}
	out, err := v.files(entries(v))
	more, compileErr := v.compiled()
	if err := errors.Join(err, compileErr); err != nil {
		return nil, err
	}
	return NewTree(append(out, more...)...)
}

// RenderRepository returns the files of the service that belong at the root of
// its repository, with paths from there. There are none when the service is the
// repository.
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

// files renders those entries that the service has.
func (v view) files(entries []entry) ([]File, error) {
	var out []File
	var errs []error
	for _, e := range entries {
		if e.when != nil && !e.when(v) {
			continue
		}
		v.Environment = e.environment
		data, err := render("service/"+e.template, v)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.path, err))
			continue
		}
		out = append(out, File{Path: e.path, Mode: cmp.Or(e.mode, 0o644), Data: data, Owner: e.owner})
	}
	return out, errors.Join(errs...)
}

// render executes one template. Go files are formatted, which is an error
// if they do not parse.
func render(name string, v view) ([]byte, error) {
	text, err := fs.ReadFile(files, "files/"+name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"json": jsonText, "literal": literal, "hcl": hclText}).Parse(string(text))
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

// jsonText is a value as JSON.
func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// literal is a text that relabelling takes as it is: it reads $1 as a group.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// hclText is a text as Terraform writes it: JSON's form, in which nothing is
// filled in.
func hclText(text string) (string, error) {
	quoted, err := jsonText(text)
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quoted), err
}
