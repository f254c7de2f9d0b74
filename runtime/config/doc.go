// Package config loads a struct from environment variables and reports all problems at once.
//
// Tags of the struct describe the variables:
//
//	type Config struct {
//		Port    int           `env:"PORT" default:"8080" min:"1" max:"65535" help:"port for requests"`
//		Timeout time.Duration `env:"TIMEOUT" default:"5s" min:"10ms" help:"maximum time for a request"`
//		Level   string        `env:"LEVEL" default:"info" oneof:"debug,info,warn,error" help:"minimum level of log lines"`
//		Token   config.Secret `env:"TOKEN" required:"true" help:"bearer token of the payment service"`
//	}
//
// A field without an env tag is named after its Go name: MaxConns reads MAX_CONNS. The name of a
// nested struct is a prefix, so that struct{ Postgres postgres.Config } reads POSTGRES_URL. An
// embedded struct, or one tagged env:",inline", has no prefix. env:"-" ignores a field.
//
// An environment variable overrides the file named by [FileEnvVar], which overrides the value in
// the struct, which overrides the default tag. An empty variable counts as not set, as in the
// OpenTelemetry specification.
//
// Fields may be strings, booleans, integers, float64, [time.Duration], [ByteSize], [Secret],
// [url.URL], any [encoding.TextUnmarshaler] (see [Named]), and slices of these, separated by
// commas. The tag format:"address" or format:"url" on a string accepts only such values, or one
// of the words listed after it. The tag secret:"true" hides a field that is not a Secret in the
// output of this package, but not elsewhere. User and password of a URL are hidden in it.
//
// The package does not read the environment itself; a [Source] does.
package config
