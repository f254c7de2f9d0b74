package templates

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/observability-first/scaffold/templates/spec"
)

// slots are the templates with which the pattern or a component fills slots.
type slots struct {
	part      string
	data      any
	templates *template.Template
}

func slotsOf(parts []spec.Part) ([]slots, error) {
	var out []slots
	for _, part := range parts {
		t, err := newTemplate(view{}).ParseFS(part.Templates, "slots/*.tmpl")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.Name, err)
		}
		out = append(out, slots{part.Name, part.Data, t})
	}
	return out, nil
}

// slot returns what the pattern and the components of the service put in a slot of a template, in their order. Their
// text may have slots, too.
func (v view) slot(name string) (string, error) {
	var out bytes.Buffer
	for _, s := range v.slots {
		if s.templates.Lookup(name) == nil {
			continue
		}
		v.Component = s.data
		s.templates.Funcs(template.FuncMap{"slot": v.slot})
		if err := s.templates.ExecuteTemplate(&out, name, v); err != nil {
			return "", fmt.Errorf("%s: %w", s.part, err)
		}
	}
	return out.String(), nil
}

// partFiles renders the files of the pattern and the components.
func (v view) partFiles() ([]File, error) {
	var out []File
	var errs []error
	for _, part := range v.Parts() {
		v.Component = part.Data
		for _, f := range part.Files {
			path, err := v.path(f.Path)
			was, errWas := v.path(f.Was)
			data, errData := render(part.Templates, f.Template, v)
			if err := errors.Join(err, errWas, errData); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", part.Name, f.Path, err))
				continue
			}
			out = append(out, File{Path: path, Mode: 0o644, Data: data, Owner: cmp.Or(f.Owner, UserOwned), Was: was})
		}
	}
	return out, errors.Join(errs...)
}

// path renders the template of a path.
func (v view) path(text string) (string, error) {
	var out bytes.Buffer
	t, err := newTemplate(v).Parse(text)
	if err == nil {
		err = t.Execute(&out, v)
	}
	return out.String(), err
}

// structOf returns a struct type with the fields, each on a line, on one line if there is one.
func structOf(fields string) string {
	if strings.Count(fields, "\n") == 1 {
		return "struct{ " + strings.TrimSpace(fields) + " }"
	}
	return "struct {" + fields + "\n\t}"
}
