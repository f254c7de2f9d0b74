// Package specedit edits scaffold.yaml at single nodes. All other bytes stay as they are; see package yamledit. Each
// edit ends with the validation of the spec.
package specedit

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamledit"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/templates/spec"
)

// Spec is a spec being edited. After an error, Src is unchanged.
type Spec struct {
	Name     string // of the file, for errors
	Src      []byte
	Defaults spec.Defaults
}

const (
	components = "components"
	objectives = "slos"
)

// AddComponent adds a component with the text that scaffold new writes. Options have the form key=value, with dots
// between keys and the names of items, as in upstreams.payments.url=http://payments:8080; values are YAML scalars.
func (s *Spec) AddComponent(name string, options []string) error {
	if err := spec.CheckComponent(name); err != nil {
		return err
	}
	service, f, err := s.open()
	if err != nil {
		return err
	}
	if _, line, err := f.Get(components, name); err != nil || line > 0 {
		return s.present(err, line, name)
	}
	with := service.With(name)
	if len(options) > 0 {
		if with, err = s.configured(with, name, options); err != nil {
			return err
		}
	}
	if err := set(&f, with, components, name); err != nil {
		return err
	}
	return s.keep(f)
}

func (s *Spec) present(err error, line int, name string) error {
	if err != nil {
		return err
	}
	return s.problem(line, "the component "+name+" is already in the spec; change its options here, or write: scaffold remove "+name)
}

// configured returns a service with a component that has options.
func (s *Spec) configured(service spec.Service, name string, options []string) (spec.Service, error) {
	f := yamledit.File{Name: s.Name, Src: slices.Clone(s.Src)}
	if err := set(&f, service, components, name); err != nil {
		return spec.Service{}, err
	}
	replaced := map[string]bool{}
	for _, option := range options {
		key, value, ok := strings.Cut(option, "=")
		path := append([]string{components, name}, strings.Split(key, ".")...)
		if !ok || slices.Contains(path, "") {
			return spec.Service{}, fmt.Errorf("invalid option %q; write key=value, such as connections=50", option)
		}
		if err := setOption(&f, path, scalar(value), replaced); err != nil {
			return spec.Service{}, err
		}
	}
	return s.Defaults.Parse(s.Name, f.Src)
}

// setOption sets an option. The first one of an item replaces the default items of the list.
func setOption(f *yamledit.File, path []string, value string, replaced map[string]bool) error {
	for i := 3; i < len(path)-1; i++ {
		list := path[:i]
		text, _, err := f.Get(list...)
		if err != nil {
			return err
		}
		var items []any
		if yaml.Unmarshal(text, &items) != nil || len(items) == 0 {
			continue
		}
		_, line, err := f.Get(path[:i+1]...)
		if err != nil {
			return err
		}
		item := "{name: " + scalar(path[i]) + "}"
		if at := strings.Join(list, "."); !replaced[at] {
			replaced[at] = true
			err = f.Set(list, []byte("- "+item))
		} else if line == 0 {
			err = f.Append(list, []byte(item))
		}
		if err != nil {
			return err
		}
	}
	return f.Set(path, []byte(value))
}

// scalar returns a text as a YAML scalar: as it is if it is one, else in quotes.
func scalar(text string) string {
	var doc yaml.Node
	err := yaml.Unmarshal([]byte(text), &doc)
	if err == nil && len(doc.Content) == 1 && doc.Content[0].Kind == yaml.ScalarNode && !strings.ContainsAny(text, "#\n,{}[]&!|>") {
		return text
	}
	return fmt.Sprintf("%q", text)
}

// RemoveComponent removes a component with its comments.
func (s *Spec) RemoveComponent(name string) error {
	service, f, err := s.open()
	if err != nil {
		return err
	}
	used := service.Components.Names()
	if !slices.Contains(used, name) {
		_, line, err := f.Get(components)
		if err != nil {
			return err
		}
		text := "the spec has no components"
		if len(used) > 0 {
			text = "write one of: " + strings.Join(used, ", ")
		}
		return s.problem(max(line, 1), "the component "+name+" is not in the spec; "+text)
	}
	path := []string{components, name}
	if len(used) == 1 && strings.HasPrefix(strings.TrimSpace(string(s.Src)), "{") { // yamledit leaves components: {}
		path = path[:1]
	}
	if err := f.Delete(path...); err != nil {
		return err
	}
	return s.keep(f)
}

// AddObjective appends an objective, the YAML of a mapping. Default objectives that the spec does not list are written, too,
// since a list in the spec replaces them.
func (s *Spec) AddObjective(text string) error {
	service, f, err := s.open()
	if err != nil {
		return err
	}
	_, line, err := f.Get(objectives)
	if err != nil {
		return err
	}
	if line == 0 {
		written, err := s.Defaults.New(spec.Choices{Name: service.Name})
		if err != nil {
			return err
		}
		if err := set(&f, written, objectives); err != nil {
			return err
		}
	}
	if err := f.Append([]string{objectives}, []byte(text)); err != nil {
		return err
	}
	return s.keep(f)
}

// Rename sets the name and the module. The resource stays, and with it the plural, which names a database table: it is
// written if it would change. So does the owner, the team that is paged. Other values that the name gives by default change
// with it.
func (s *Spec) Rename(service, module string) error {
	before, f, err := s.open()
	if err != nil {
		return err
	}
	if err := spec.CheckName(service); err != nil {
		return err
	}
	for _, change := range [][2]string{{"service", service}, {"module", module}} {
		if err := f.Set([]string{change[0]}, []byte(scalar(change[1]))); err != nil {
			return err
		}
	}
	if err := s.renameSelector(&f, before.Name, service); err != nil {
		return err
	}
	after, err := s.Defaults.Parse(s.Name, f.Src)
	if err != nil {
		return err
	}
	if before.Resource != after.Resource {
		if err := f.Set([]string{"resource"}, []byte(scalar(before.Resource)), "module", "moduleDirectory", "pattern", "resource"); err != nil {
			return err
		}
	}
	return s.keep(f)
}

// renameSelector renames the job if the spec has the default selector.
func (s *Spec) renameSelector(f *yamledit.File, before, after string) error {
	path := []string{"telemetry", "selector", semconv.LabelJob}
	text, _, err := f.Get(path...)
	var job string
	if err != nil || yaml.Unmarshal(text, &job) != nil || job != before {
		return err
	}
	return f.Set(path, []byte(scalar(after)))
}

// open returns the service and a copy of the file.
func (s *Spec) open() (spec.Service, yamledit.File, error) {
	service, err := s.Defaults.Parse(s.Name, s.Src)
	return service, yamledit.File{Name: s.Name, Src: s.Src}, err
}

// keep validates the edited spec.
func (s *Spec) keep(f yamledit.File) error {
	if _, err := s.Defaults.Parse(s.Name, f.Src); err != nil {
		return err
	}
	s.Src = f.Src
	return nil
}

func (s *Spec) problem(line int, message string) error {
	return diagnostic.List{{File: s.Name, Line: line, Message: message}}.Err()
}

// set copies the value of a path from the spec that scaffold writes for the service.
func set(f *yamledit.File, service spec.Service, path ...string) error {
	written := yamledit.File{Name: f.Name, Src: service.YAML()}
	var doc yaml.Node
	if err := yaml.Unmarshal(written.Src, &doc); err != nil {
		return err
	}
	order := yamledit.Keys(doc.Content[0])
	if len(path) > 1 {
		order = append(order, service.Components.Names()...)
	}
	return f.Copy(written, path, order...)
}
