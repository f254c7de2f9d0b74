package config

import (
	"errors"
	"fmt"
	"slices"
)

// Source is where values come from.
type Source struct {
	// Lookup finds a variable of the environment: os.LookupEnv in a process, a
	// map in a test. Nil finds nothing.
	Lookup func(name string) (value string, found bool)
}

func (s Source) lookup(name string) (string, bool) {
	if s.Lookup == nil {
		return "", false
	}
	value, found := s.Lookup(name)
	return value, found && value != ""
}

// Load fills the struct that dst points to. The error is an [*Error] that holds
// every problem at once, keys of the file that dst does not know included; any
// other error is a mistake in the struct itself. After an error the struct
// holds what could be read.
func Load(dst any, src Source) error {
	l := NewLoader(src)
	return join(l.Load(dst), l.Check())
}

// Loader fills several structs from one source: a runtime's own and those of
// the service on top of it. It is not safe for concurrent use.
type Loader struct {
	src     Source
	file    file
	wrong   []Problem // of the file, not told yet
	opened  bool
	envVars []EnvVar
}

// NewLoader returns a Loader over the source. It reads nothing yet.
func NewLoader(src Source) *Loader { return &Loader{src: src} }

// Load fills the struct that dst points to; see [Load] for its errors. Keys of
// the file that dst does not know are left to other structs: [Loader.Check]
// tells about the rest.
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

// Check tells what is wrong with the file: lines that cannot be read, and keys
// that none of the structs loaded so far knows. Call it after the last Load.
func (l *Loader) Check() error {
	l.open()
	known := []string{FileEnvVar}
	for _, v := range l.envVars {
		known = append(known, v.Name)
	}
	found := slices.Clone(l.wrong)
	for _, e := range l.file.entries {
		if e.key == FileEnvVar {
			found = append(found, Problem{EnvVar: e.key, Where: e.where, Message: "a file names no further file; remove the line"})
		} else if !slices.Contains(known, e.key) {
			found = append(found, Problem{EnvVar: e.key, Where: e.where, Message: "nothing reads this key" + suggestion(e.key, known[1:])})
		}
	}
	return problems(found)
}

// EnvVars describes what the structs loaded so far can be told and were told,
// in the order of their fields.
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

// remember keeps one line per name: two structs may read the same variable.
func (l *Loader) remember(v EnvVar) {
	same := func(other EnvVar) bool { return other.Name == v.Name }
	if i := slices.IndexFunc(l.envVars, same); i >= 0 {
		l.envVars[i] = v
		return
	}
	l.envVars = append(l.envVars, v)
}

// fill decides where the field's value comes from and sets it.
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

// join merges configuration problems into one [*Error]. A mistake in a struct
// stands alone: it must be mended before the problems mean anything.
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

// Origin tells where a value came from.
type Origin string

const (
	// FromEnvironment is a variable of the environment.
	FromEnvironment Origin = "environment"
	// FromFile is a line of the file that [FileEnvVar] names.
	FromFile Origin = "file"
	// FromDefault is the default tag, or what the struct held before.
	FromDefault Origin = "default"
	// Unset is a variable without value and without default.
	Unset Origin = "unset"
)

// EnvVar describes one thing that a program can be told.
type EnvVar struct {
	Name     string `json:"name"`
	Group    string `json:"group,omitempty"`    // outermost struct field that holds it, as in HTTP
	Type     string `json:"type"`               // as written for people: "whole number", "duration"
	Default  string `json:"default,omitempty"`  // hidden when Secret
	Help     string `json:"help,omitempty"`     // the help tag
	Value    string `json:"value,omitempty"`    // the value in effect; hidden when Secret
	Origin   Origin `json:"origin"`             // where Value came from
	Secret   bool   `json:"secret,omitempty"`   // its value is never shown
	Required bool   `json:"required,omitempty"` // there is no default
	Allowed  string `json:"allowed,omitempty"`  // bounds or choices, as "1 to 65535"
}

// Describe lists the variables of the struct that dst points to, without any
// source: each value is its default. Use [Loader.EnvVars] for values in
// effect. The error is a mistake in the struct.
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

// mistake is an error in the struct, which its programmer mends.
func mistake(path, format string, args ...any) error {
	return fmt.Errorf("config: field %s: %s", path, fmt.Sprintf(format, args...))
}
