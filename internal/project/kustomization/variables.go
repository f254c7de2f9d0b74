package kustomization

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Variable is an environment variable that an overlay sets.
type Variable struct {
	Name, Value string
	File        string // relative to the overlay
	Line        int    // of the literal, or of the assignment in an environment file; from 1
	Column      int    // from 1, in bytes
}

// configMap is a generator of a ConfigMap.
type configMap struct {
	Name     yaml.Node `yaml:"name"`
	Envs     []string  `yaml:"envs"`
	Literals yaml.Node `yaml:"literals"`
}

func (m configMap) setsVariables() bool { return len(m.Envs) > 0 || m.Literals.Kind != 0 }

// Variables returns the environment variables that the overlay in the directory sets in the
// ConfigMap of the name, by literals and by environment files. It skips what Kustomize rejects.
// Errors for missing files have the name of the file.
func Variables(overlay fs.FS, name string) ([]Variable, error) {
	k, _, err := load(overlay)
	if err != nil {
		return nil, err
	}
	var variables []Variable
	var errs []error
	for _, m := range k.ConfigMaps {
		if m.Name.Value != name {
			continue
		}
		for _, file := range m.Envs {
			src, err := userfile.ReadFS(overlay, path.Clean(file), userfile.Limit)
			variables, errs = append(variables, assignments(path.Clean(file), src)...), append(errs, err)
		}
		if m.Literals.Kind != yaml.SequenceNode {
			continue
		}
		for _, literal := range m.Literals.Content {
			if v, ok := variableOf(literal); ok {
				variables = append(variables, v)
			}
		}
	}
	return variables, errors.Join(errs...)
}

// variableOf parses a literal as Kustomize does, which removes quotes around the value.
func variableOf(literal *yaml.Node) (Variable, bool) {
	text := literal.Value
	if literal.Kind == yaml.AliasNode {
		text = literal.Alias.Value
	}
	name, value, found := strings.Cut(text, "=")
	if last := len(value) - 1; last > 0 && value[0] == value[last] && strings.ContainsRune(`"'`, rune(value[0])) {
		value = value[1:last]
	}
	return Variable{Name: name, Value: value, File: FileName, Line: literal.Line, Column: literal.Column}, found && name != ""
}

// assignments parses an environment file as Kustomize does, which keeps trailing spaces of
// values.
func assignments(file string, src []byte) []Variable {
	var out []Variable
	number := 0
	for line := range strings.Lines(string(src)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimLeft(line, " \t")
		name, value, found := strings.Cut(text, "=")
		if found && !strings.HasPrefix(name, "#") {
			out = append(out, Variable{Name: name, Value: value, File: file, Line: number, Column: len(line) - len(text) + 1})
		}
	}
	return out
}
