// Package config fills a struct from the environment and tells everything that
// is wrong with it at once.
//
// A struct says what a program can be told; its tags say the rest:
//
//	type Config struct {
//		Port    int           `env:"PORT" default:"8080" min:"1" max:"65535" help:"port for requests"`
//		Timeout time.Duration `env:"TIMEOUT" default:"5s" min:"10ms" help:"longest a request may take"`
//		Level   string        `env:"LEVEL" default:"info" oneof:"debug,info,warn,error" help:"least severe line logged"`
//		Token   config.Secret `env:"TOKEN" required:"true" help:"bearer token of the payment service"`
//	}
//
// A field without an env tag is named after itself: MaxConns reads MAX_CONNS. A
// nested struct puts its own name in front, so that struct{ Postgres
// postgres.Config } reads POSTGRES_URL; an embedded struct, or one tagged
// env:",inline", adds nothing. env:"-" leaves a field alone.
//
// The environment wins over the file named by [FileEnvVar], the file wins
// over what the struct already holds, and that wins over the default tag. An
// empty variable counts as not set, which is what OpenTelemetry's specification
// says of its own variables.
//
// Fields may be strings, booleans, whole numbers, float64, [time.Duration],
// [ByteSize], [Secret], [url.URL], whatever implements
// [encoding.TextUnmarshaler] (see [Named]), and slices of these, written with
// commas. The tag format:"address" or format:"url" on a string accepts only one, or
// one of the words that follow after commas. The tag secret:"true" hides a field of
// another type than Secret in what this package shows; it cannot hide the field
// elsewhere.
//
// The package reads no environment by itself: a lookup function is passed in.
package config
