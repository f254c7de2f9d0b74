package config

import (
	"errors"
	"fmt"
	"slices"
)

// Source is the source of values.
type Source struct {
	// Lookup returns an environment variable, as os.LookupEnv does. If it is nil, nothing is set.
	Lookup func(name string) (value string, found bool)
}

func (s Source) lookup(name string) (string, bool) {
	if s.Lookup == nil {
		return "", false
	}
	value, found := s.Lookup(name)
	return value, found && value != ""
}

// Load sets the fields of the struct that dst points to. The error is an [*Error] with all
// problems, including keys of the file that dst does not have. Any other error is a mistake in
// the struct itself. After an error, the valid values are set.
func Load(dst any, src Source) error {
	l := NewLoader(src)
	return join(l.Load(dst), l.Check())
}

// Loader loads several structs from one source, such as those of the runtime and of the service.
// It is not safe for concurrent use.
type Loader struct {
	src     Source
	file    file
	wrong   []Problem // of the file, not reported yet
	opened  bool
	envVars []EnvVar
}

// NewLoader returns a Loader for the source. It reads nothing yet.
func NewLoader(src Source) *Loader { return &Loader{src: src} }

// Load sets the fields of the struct that dst points to; see [Load] for its errors. It ignores
// keys of the file that dst does not have; [Loader.Check] reports those that no struct has.
func (l *Loader) Load(dst any) error {
	list, err := fieldsOf(dst)
	if err != nil {
		return err
	}
	l.open()
	var found []Problem
	for _, f := range list {
		envVar, problem := l.fill(f)
		if problem != nil {
			found = append(found, *problem)
		}
		l.remember(envVar)
	}
	return problems(found)
}

// Check returns the problems of the file: invalid lines, and keys that no loaded struct has. Call
// it after the last Load.
func (l *Loader) Check() error {
	l.open()
	known := []string{FileEnvVar}
	for _, v := range l.envVars {
		known = append(known, v.Name)
	}
	found := slices.Clone(l.wrong)
	for _, e := range l.file.entries {
		if e.key == FileEnvVar {
			found = append(found, Problem{EnvVar: e.key, Where: e.where, Message: "must not be set in a file; remove the line"})
		} else if !slices.Contains(known, e.key) {
			found = append(found, Problem{EnvVar: e.key, Where: e.where, Message: "unknown key" + suggestion(e.key, known[1:])})
		}
	}
	return problems(found)
}

// EnvVars describes the environment variables of the structs loaded so far and their values, in
// the order of the fields.
func (l *Loader) EnvVars() []EnvVar { return slices.Clone(l.envVars) }

func (l *Loader) open() {
	if l.opened {
		return
	}
	l.opened = true
	if name, found := l.src.lookup(FileEnvVar); found {
		l.file, l.wrong = readFile(name)
	}
}

// remember stores one entry per name: two structs may have the same environment variable.
func (l *Loader) remember(v EnvVar) {
	same := func(other EnvVar) bool { return other.Name == v.Name }
	if i := slices.IndexFunc(l.envVars, same); i >= 0 {
		l.envVars[i] = v
		return
	}
	l.envVars = append(l.envVars, v)
}

// fill sets the field from its source.
func (l *Loader) fill(f field) (EnvVar, *Problem) {
	v := f.describe()
	text, where := "", ""
	if value, found := l.src.lookup(f.name); found {
		text, where, v.Origin = value, "environment", FromEnvironment
	} else if e, found := l.file.lookup(f.name); found && e.value != "" {
		text, where, v.Origin = e.value, e.where, FromFile
	}
	if where != "" {
		if message := f.set(text); message != "" {
			v.Value = f.rejected(text)
			return v, &Problem{EnvVar: f.name, Value: v.Value, Where: where, Message: message}
		}
		v.Value = f.print(f.value)
		return v, nil
	}
	if f.preset.IsValid() {
		f.value.Set(f.preset)
	}
	if f.required && f.value.IsZero() {
		return v, &Problem{EnvVar: f.name, Message: "required and not set; write " + f.wanted()}
	}
	return v, nil
}

// join merges configuration problems into one [*Error]. A mistake in a struct is returned alone:
// problems mean nothing until it is fixed.
func join(errs ...error) error {
	var found []Problem
	for _, err := range errs {
		if list, ok := errors.AsType[*Error](err); ok {
			found = append(found, list.Problems...)
		} else if err != nil {
			return err
		}
	}
	return problems(found)
}

// Origin is the origin of a value.
type Origin string

const (
	// FromEnvironment is an environment variable.
	FromEnvironment Origin = "environment"
	// FromFile is a line of the file that [FileEnvVar] names.
	FromFile Origin = "file"
	// FromDefault is the default tag, or the value in the struct before the load.
	FromDefault Origin = "default"
	// Unset means that there is neither a value nor a default.
	Unset Origin = "unset"
)

// EnvVar describes an environment variable.
type EnvVar struct {
	Name     string `json:"name"`
	Group    string `json:"group,omitempty"`    // outermost struct field, such as HTTP
	Type     string `json:"type"`               // for people: "whole number", "duration"
	Default  string `json:"default,omitempty"`  // hidden if Secret
	Help     string `json:"help,omitempty"`     // the help tag
	Value    string `json:"value,omitempty"`    // current value; hidden if Secret
	Origin   Origin `json:"origin"`             // origin of Value
	Secret   bool   `json:"secret,omitempty"`   // the value is never shown
	Required bool   `json:"required,omitempty"` // it has no default
	Allowed  string `json:"allowed,omitempty"`  // bounds or choices, such as "1 to 65535"
}

// Describe returns the environment variables of the struct that dst points to with their defaults
// as values. Use [Loader.EnvVars] for the current values. The error is a mistake in the struct.
func Describe(dst any) ([]EnvVar, error) {
	list, err := fieldsOf(dst)
	if err != nil {
		return nil, err
	}
	envVars := make([]EnvVar, len(list))
	for i, f := range list {
		envVars[i] = f.describe()
	}
	return envVars, nil
}

// mistake returns an error in the struct, which the programmer must fix.
func mistake(path, format string, args ...any) error {
	return fmt.Errorf("config: field %s: %s", path, fmt.Sprintf(format, args...))
}
