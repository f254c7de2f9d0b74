// Package components lists the components of services.
package components

import (
	"reflect"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components/httpclient"
	"github.com/observability-first/scaffold/templates/components/postgres"
)

// Used are the components of a service. One that is nil is not used.
type Used struct {
	HTTPClient *httpclient.Options `yaml:"httpclient"`
	Postgres   *postgres.Options   `yaml:"postgres"`
}

// Named is a component with its name, the key in scaffold.yaml.
type Named struct {
	component.Component

	Name string
}

// List returns the used components in the order of [Used].
func (u Used) List() []Named {
	var out []Named
	v := reflect.ValueOf(u)
	for i := range v.NumField() {
		if c, ok := reflect.TypeAssert[component.Component](v.Field(i)); ok && !v.Field(i).IsNil() {
			out = append(out, Named{c, v.Type().Field(i).Tag.Get("yaml")})
		}
	}
	return out
}

// Names returns the names of the used components.
func (u Used) Names() []string {
	var out []string
	for _, c := range u.List() {
		out = append(out, c.Name)
	}
	return out
}

// With returns the components and the named one, which has to exist, with its default options.
func (u Used) With(name string) Used {
	v := reflect.ValueOf(&u).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == name && v.Field(i).IsNil() {
			v.Field(i).Set(reflect.New(v.Field(i).Type().Elem()))
			if c, ok := reflect.TypeAssert[component.Component](v.Field(i)); ok {
				c.Defaults(func(string) bool { return false })
			}
		}
	}
	return u
}

// All returns every component with its default options.
func All() []Named {
	var u Used
	for _, name := range Names() {
		u = u.With(name)
	}
	return u.List()
}

// Names returns the names of all components.
func Names() []string {
	var out []string
	for f := range reflect.TypeFor[Used]().Fields() {
		out = append(out, f.Tag.Get("yaml"))
	}
	return out
}
