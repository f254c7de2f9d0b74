package config_test

import (
	"fmt"
	"time"

	"github.com/observability-first/scaffold/runtime/config"
)

func ExampleLoad() {
	var cfg struct {
		Port    int           `env:"PORT" default:"8080" min:"1" max:"65535" help:"port for requests"`
		Timeout time.Duration `default:"5s" help:"maximum time for a request"`
		Token   config.Secret `required:"true" help:"bearer token of the payment service"`
	}
	env := map[string]string{"PORT": "80a"}
	err := config.Load(&cfg, config.Source{Lookup: func(name string) (string, bool) {
		v, found := env[name]
		return v, found
	}})
	fmt.Println(err)
	// Output:
	// PORT="80a" (environment): not a whole number; write 1 to 65535 (port for requests)
	// TOKEN: required and not set; write the secret (bearer token of the payment service)
}

func ExampleLoader_EnvVars() {
	var cfg struct {
		Port  int           `default:"8080" help:"port for requests"`
		Token config.Secret `help:"bearer token of the payment service"`
	}
	env := map[string]string{"TOKEN": "hunter2"}
	l := config.NewLoader(config.Source{Lookup: func(name string) (string, bool) {
		v, found := env[name]
		return v, found
	}})
	if err := l.Load(&cfg); err != nil {
		fmt.Println(err)
	}
	for _, v := range l.EnvVars() {
		fmt.Printf("%s=%s (%s): %s\n", v.Name, v.Value, v.Origin, v.Help)
	}
	// Output:
	// PORT=8080 (default): port for requests
	// TOKEN=[hidden] (environment): bearer token of the payment service
}
