package config_test

import (
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/config"
)

// from returns a source with the variables of a map.
func from(env map[string]string) config.Source {
	return config.Source{Lookup: func(name string) (string, bool) {
		v, found := env[name]
		return v, found
	}}
}

// withFile writes a configuration file and sets its path in the environment.
func withFile(t *testing.T, env map[string]string, text string) config.Source {
	t.Helper()
	name := filepath.Join(t.TempDir(), "service.env")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if env == nil {
		env = map[string]string{}
	}
	env[config.FileEnvVar] = name
	return from(env)
}

type pool struct {
	URL      config.Secret `env:"URL" required:"true" help:"connection string"`
	MaxConns int           `default:"10" min:"1" max:"100"`
}

type shared struct {
	Owner string
}

type everything struct {
	shared

	Postgres pool
	Flat     struct {
		Verbose bool
	} `env:",inline"`
	HTTP struct {
		Port    uint16        `default:"8080" min:"1"`
		Timeout time.Duration `default:"5s" min:"10ms"`
		Body    config.ByteSize
	}
	Level    slog.Level `default:"INFO" help:"debug or info"`
	Ratio    float64    `min:"0" max:"1"`
	Mode     string     `default:"fast" oneof:"fast,safe"`
	Hosts    []string
	Backoff  []time.Duration
	Endpoint url.URL
	Count    int64
	Ignored  chan int `env:"-"`
	hidden   int      //nolint:unused // unexported fields are ignored
}

func TestLoadReadsEachTypeByName(t *testing.T) {
	t.Parallel()
	var got everything
	err := config.Load(&got, from(map[string]string{
		"OWNER": "checkout", "VERBOSE": "TRUE",
		"POSTGRES_URL": "postgres://u:p@h/db", "POSTGRES_MAX_CONNS": "20",
		"HTTP_PORT": "9000", "HTTP_TIMEOUT": "1m30s", "HTTP_BODY": "1MiB",
		"LEVEL": "warn", "RATIO": "0.25", "MODE": "safe", "HOSTS": "a, b,c", "BACKOFF": "1s,2s",
		"ENDPOINT": "http://127.0.0.1:4318/v1", "COUNT": "-3",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var want everything
	want.Owner, want.Flat.Verbose = "checkout", true
	want.Postgres = pool{URL: "postgres://u:p@h/db", MaxConns: 20}
	want.HTTP.Port, want.HTTP.Timeout, want.HTTP.Body = 9000, 90*time.Second, 1<<20
	want.Level, want.Ratio, want.Mode, want.Count = slog.LevelWarn, 0.25, "safe", -3
	want.Hosts, want.Backoff = []string{"a", "b", "c"}, []time.Duration{time.Second, 2 * time.Second}
	want.Endpoint = url.URL{Scheme: "http", Host: "127.0.0.1:4318", Path: "/v1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestOriginOfAValue(t *testing.T) {
	t.Parallel()
	type settings struct {
		Port int `default:"1"`
	}
	tests := []struct {
		name   string
		preset int
		file   string
		env    map[string]string
		want   int
		origin config.Origin
	}{
		{name: "the tag without any other value", want: 1, origin: config.FromDefault},
		{name: "the struct's value overrides the tag", preset: 2, want: 2, origin: config.FromDefault},
		{name: "the file overrides the struct's value", preset: 2, file: "PORT=3", want: 3, origin: config.FromFile},
		{name: "the environment overrides the file", preset: 2, file: "PORT=3", env: map[string]string{"PORT": "4"}, want: 4, origin: config.FromEnvironment},
		{name: "an empty environment variable is not set", file: "PORT=3", env: map[string]string{"PORT": ""}, want: 3, origin: config.FromFile},
		{name: "an empty line of the file is not set", preset: 2, file: "PORT=", want: 2, origin: config.FromDefault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := settings{Port: tt.preset}
			l := config.NewLoader(withFile(t, tt.env, tt.file))
			if err := errors.Join(l.Load(&got), l.Check()); err != nil {
				t.Fatal(err)
			}
			v := l.EnvVars()[0]
			if got.Port != tt.want || v.Origin != tt.origin {
				t.Errorf("got %d from %q, want %d from %q", got.Port, v.Origin, tt.want, tt.origin)
			}
		})
	}
}

func TestLoadReportsAllProblems(t *testing.T) {
	t.Parallel()
	var dst everything
	err := config.Load(&dst, withFile(t, map[string]string{
		"POSTGRES_MAX_CONNS": "500", "HTTP_PORT": "eighty", "HTTP_BODY": "big", "LEVEL": "loud",
		"RATIO": "NaN", "MODE": "slow", "HOSTS": "a,,b", "BACKOFF": "1s,soon", "ENDPOINT": "localhost:4318",
		"VERBOSE": "perhaps", "COUNT": strings.Repeat("9", 70),
	}, "HTTP_TIMEOUT=1ms\nHTTP_TIMOUT=2s\nPOSTGRES_MAX_CONN=3\nZEBRA=1\nno equals\n"))

	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Fatalf("got %v, want a *config.Error", err)
	}
	want := `POSTGRES_URL: required and not set; write the secret (connection string)
POSTGRES_MAX_CONNS="500" (environment): out of range; write 1 to 100
VERBOSE="perhaps" (environment): neither true nor false; write true or false
HTTP_PORT="eighty" (environment): not a whole number; write 1 or more
HTTP_TIMEOUT="1ms" (FILE:1): out of range; write 10ms or more
HTTP_BODY="big" (environment): not a size; write a size such as 64KiB or 10MB
LEVEL="loud" (environment): not a log level; write one (debug or info)
RATIO="NaN" (environment): not a number; write 0 to 1
MODE="slow" (environment): not one of the choices; write fast or safe
HOSTS="a,,b" (environment): has an element that is not text; write elements separated by commas, each text
BACKOFF="1s,soon" (environment): has an element that is not a duration; write elements separated by commas, each a duration such as 200ms or 1m30s
ENDPOINT="localhost:4318" (environment): not an absolute URL; write a URL such as http://127.0.0.1:4318
COUNT="9999999999999999999999999999999999999999999999999999999999999999..." (environment): not a whole number; write a whole number such as 10
FILE:5: missing "="; write KEY=VALUE, or start the line with # for a comment
HTTP_TIMOUT (FILE:2): unknown key; did you mean HTTP_TIMEOUT?
POSTGRES_MAX_CONN (FILE:3): unknown key; did you mean POSTGRES_MAX_CONNS?
ZEBRA (FILE:4): unknown key`
	got := fileName.ReplaceAllString(err.Error(), "FILE:")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestProblemsHideSecrets(t *testing.T) {
	t.Parallel()
	type settings struct {
		Keys     []config.Secret `oneof:"a,b"`
		Pin      int             `secret:"true"`
		Endpoint url.URL
	}
	const secret = "hunter2"
	var dst settings
	err := config.Load(&dst, withFile(t, map[string]string{"KEYS": "a," + secret, "ENDPOINT": "//u:" + secret + "@h", "PIN": secret},
		"ENDPOINT=\""+secret+"\nX "+secret+"\n1="+secret+"\nY='"+secret+"'"+secret+"'\n"))
	if err == nil {
		t.Fatal("got no error, want problems")
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("a problem repeats the secret:\n%v", err)
	}
	if got := strings.Count(err.Error(), "[hidden]"); got != 3 {
		t.Errorf("got %d hidden values, want 3:\n%v", got, err)
	}
}

func TestInvalidFileIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.env")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"a missing file":           {filepath.Join(dir, "no.env"), "no such file or directory; write the path"},
		"a directory":              {dir, "is a directory; write the path"},
		"a file that is too large": {large, "larger than 1MiB"},
		"a file that names a file": {withNested(t, dir), "must not be set in a file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dst struct{}
			err := config.Load(&dst, from(map[string]string{config.FileEnvVar: tt.file}))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), config.FileEnvVar) {
				t.Errorf("got %v, want %s and %q", err, config.FileEnvVar, tt.want)
			}
		})
	}
}

func withNested(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "nested.env")
	if err := os.WriteFile(name, []byte("CONFIG_FILE=other.env"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAFileMayBeAsLargeAsTheLimit(t *testing.T) {
	t.Parallel()
	var dst struct{ Port int }
	err := config.Load(&dst, withFile(t, nil, "PORT=1\n#"+strings.Repeat("x", 1<<20-len("PORT=1\n#"))))
	if err != nil || dst.Port != 1 {
		t.Errorf("got %v and port %d", err, dst.Port)
	}
}

func TestFileIsReadOnce(t *testing.T) {
	t.Parallel()
	src := withFile(t, nil, "CONFIG_FIL=x\nPORT=1\nno equals")
	name, _ := src.Lookup(config.FileEnvVar)
	l := config.NewLoader(src)
	err := l.Check()
	want := "FILE:3: missing \"=\"; write KEY=VALUE, or start the line with # for a comment\n" +
		"CONFIG_FIL (FILE:1): unknown key\n" + // CONFIG_FILE is not suggested in a file
		"PORT (FILE:2): unknown key"
	if err == nil || fileName.ReplaceAllString(err.Error(), "FILE:") != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	var dst struct{ Port int }
	if err := l.Load(&dst); err != nil || dst.Port != 1 {
		t.Errorf("a second look gave %v and port %d", err, dst.Port)
	}
}

// Fields that this package cannot set are ignored without a panic.
func TestUnexportedFieldsAreIgnored(t *testing.T) {
	t.Parallel()
	type port int
	var dst struct {
		port                    // embedded, of a type that could be parsed
		url.URL `env:"ADDRESS"` // embedded, exported, parsed as one value
		name    string          // not embedded
		Level   slog.Level
	}
	err := config.Load(&dst, from(map[string]string{"PORT": "1", "NAME": "x", "ADDRESS": "http://h", "LEVEL": "warn"}))
	if err != nil || dst.port != 0 || dst.Host != "h" || dst.Level != slog.LevelWarn {
		t.Errorf("got %v and %+v", err, dst)
	}
	list, err := config.Describe(&dst)
	if err != nil || len(list) != 2 || list[0].Name != "ADDRESS" || list[1].Name != "LEVEL" {
		t.Errorf("got %+v (%v), want ADDRESS and LEVEL", list, err)
	}
}

func TestBoundsAreInclusive(t *testing.T) {
	t.Parallel()
	type settings struct {
		Count   int           `min:"1" max:"3"`
		Size    uint          `min:"1" max:"3"`
		Ratio   float64       `min:"0.25" max:"0.75"`
		Most    time.Duration `max:"1s"`
		Inlined struct {
			Depth int
		} `env:"IGNORED,inline"`
	}
	for _, tt := range []struct{ name, value, want string }{
		{"COUNT", "1", ""}, {"COUNT", "3", ""}, {"COUNT", "0", "1 to 3"}, {"COUNT", "4", "1 to 3"},
		{"SIZE", "1", ""}, {"SIZE", "3", ""}, {"SIZE", "0", "1 to 3"}, {"SIZE", "4", "1 to 3"},
		{"RATIO", "0.25", ""}, {"RATIO", "0.75", ""}, {"RATIO", "0.2", "0.25 to 0.75"}, {"RATIO", "0.8", "0.25 to 0.75"},
		{"MOST", "1s", ""}, {"MOST", "1001ms", "1s or less"}, {"DEPTH", "-1", ""},
	} {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			var dst settings
			// Unset numbers below their bound are not reported.
			err := config.Load(&dst, from(map[string]string{tt.name: tt.value}))
			want := tt.name + "=\"" + tt.value + "\" (environment): out of range; write " + tt.want
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// A value is shown as a user would write it.
func TestValuesArePrintedAsWritten(t *testing.T) {
	t.Parallel()
	type settings struct {
		Wait  time.Duration
		Level slog.Level
		Size  config.ByteSize
		Sizes []config.ByteSize
		Where url.URL
		Link  string `format:"url"`
		At    textOnly
	}
	for _, tt := range []struct{ name, value, want string }{
		{"WAIT", "60m", "1h"}, {"WAIT", "90m", "1h30m"}, {"WAIT", "3630s", "1h0m30s"}, {"WAIT", "600s", "10m"}, {"WAIT", "20h", "20h"}, {"WAIT", "0.2s", "200ms"},
		{"LEVEL", "warn", "WARN"}, {"LEVEL", "info+1", "INFO+1"},
		{"SIZE", "1048576", "1MiB"}, {"SIZES", "1000, 1024 ,1025", "1KB,1KiB,1025B"},
		{"WHERE", "http://u:secret@h/x", "http://u:xxxxx@h/x"},
		{"LINK", "http://u:secret@h/x?y=z", "http://xxxxx@h/x?y=z"}, {"LINK", "https://token@h", "https://xxxxx@h"}, {"LINK", "http://h/@x", "http://h/@x"},
		{"AT", "noon", "{noon}"},
	} {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			l := config.NewLoader(from(map[string]string{tt.name: tt.value}))
			var dst settings
			if err := l.Load(&dst); err != nil {
				t.Fatal(err)
			}
			for _, v := range l.EnvVars() {
				if v.Name == tt.name && v.Value != tt.want {
					t.Errorf("got %q, want %q", v.Value, tt.want)
				}
			}
		})
	}
}

func TestFormatsOfStrings(t *testing.T) {
	t.Parallel()
	type settings struct {
		At    string `format:"address,off" default:":1"`
		Where string `format:"url"`
	}
	for _, tt := range []struct{ name, value, want string }{
		{"AT", ":8080", ""}, {"AT", "127.0.0.1:0", ""}, {"AT", "[::1]:8080", ""}, {"AT", "off", ""}, {"AT", ":http", ""},
		{"AT", "8080", `AT="8080" (environment): not an address with a port; write :8080`},
		{"AT", "localhost", `AT="localhost" (environment): not an address with a port; write an address such as :8080 or 127.0.0.1:8080`},
		{"AT", ":99999", `AT=":99999" (environment): not an address with a port; write an address such as :8080 or 127.0.0.1:8080`},
		{"AT", "a:b:c", `AT="a:b:c" (environment): not an address with a port; write an address such as :8080 or 127.0.0.1:8080`},
		{"WHERE", "http://127.0.0.1:4318/x", ""},
		{"WHERE", "localhost:4318", `WHERE="localhost:4318" (environment): not an absolute URL; write http://localhost:4318`},
		{"WHERE", "/x", `WHERE="/x" (environment): not an absolute URL; write a URL such as http://127.0.0.1:4318`},
		{"WHERE", "u:p@h", `WHERE=[hidden] (environment): not an absolute URL; write a URL such as http://127.0.0.1:4318`},
	} {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			var got settings
			err := config.Load(&got, from(map[string]string{tt.name: tt.value}))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// textOnly can be unmarshaled but not marshaled.
type textOnly struct{ text string }

func (o *textOnly) UnmarshalText(text []byte) error {
	o.text = string(text)
	return nil
}

func TestEachElementOfAListIsOneOfTheChoices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ value, want string }{
		{"a", ""}, {"b, a,a", ""},
		{"a,c", `MODES="a,c" (environment): not one of the choices; write a or b`},
		{"a|b", `MODES="a|b" (environment): not one of the choices; write a or b`},
	} {
		var dst struct {
			Modes []string `oneof:"a,b"`
		}
		err := config.Load(&dst, from(map[string]string{"MODES": tt.value}))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%q gave %v, want %s", tt.value, err, tt.want)
		}
	}
}

// An empty secret is shown as empty.
func TestUnsetSecretIsShownAsEmpty(t *testing.T) {
	t.Parallel()
	var dst struct {
		Token config.Secret `default:""`
		Other config.Secret
	}
	list, err := config.Describe(&dst)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.Value != "" || v.Default != "" || !v.Secret {
			t.Errorf("got %+v", v)
		}
	}
}

func TestSeveralStructsShareOneFile(t *testing.T) {
	t.Parallel()
	l := config.NewLoader(withFile(t, nil, "PORT=1\nNAME=x\nTYPO=y"))
	var first struct{ Port int }
	var second struct{ Name string }
	if err := errors.Join(l.Load(&first), l.Load(&second)); err != nil {
		t.Fatal(err)
	}
	if first.Port != 1 || second.Name != "x" {
		t.Errorf("got %+v and %+v", first, second)
	}
	var list *config.Error
	if err := l.Check(); !errors.As(err, &list) || len(list.Problems) != 1 || list.Problems[0].EnvVar != "TYPO" {
		t.Errorf("got %v, want one problem about TYPO", err)
	}
	if got := len(l.EnvVars()); got != 2 {
		t.Errorf("got %d variables, want 2", got)
	}
	if err := l.Load(&first); err != nil || len(l.EnvVars()) != 2 {
		t.Errorf("loading a struct again gave %v and %d variables, want none and 2", err, len(l.EnvVars()))
	}
}

func TestMistakesInAStructAreNoProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dst  any
		want string
	}{
		"no pointer":                {struct{}{}, "pass a pointer to a struct"},
		"nil":                       {nil, "pass a pointer to a struct"},
		"a pointer to another type": {new(int), "pass a pointer to a struct"},
		"a type without text form":  {&struct{ C chan int }{}, "field C: unsupported type chan int"},
		"an invalid default": {&struct {
			N int `default:"x"`
		}{}, `field N: the default tag "x" is not a whole number`},
		"a default out of range": {&struct {
			N int `default:"0" min:"1"`
		}{}, "field N: the default tag: out of range; write 1 or more"},
		"a default that is not a choice": {&struct {
			S string `default:"c" oneof:"a"`
		}{}, "the default tag: not one of the choices; write a"},
		"bounds on text": {&struct {
			S string `min:"1"`
		}{}, "field S: the min tag does not apply to a string"},
		"an invalid bound": {&struct {
			N int `max:"x"`
		}{}, `the max tag "x" is not a whole number`},
		"an unknown format": {&struct {
			S string `format:"path"`
		}{}, `field S: the format tag "path"; write address or url, on a string`},
		"a format of a number": {&struct {
			N int `format:"url"`
		}{}, `field N: the format tag "url"; write address or url, on a string`},
		"two fields for one name": {&struct {
			A, B int `env:"X"`
		}{}, "field B: reads X, as A does"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := config.Load(tt.dst, config.Source{})
			var list *config.Error
			if err == nil || errors.As(err, &list) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a plain error with %q", err, tt.want)
			}
			if _, again := config.Describe(tt.dst); again == nil {
				t.Error("Describe returned no error")
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	dst := everything{Postgres: pool{URL: "postgres://u:p@h/db"}, Hosts: []string{"a", "b"}}
	dst.HTTP.Timeout = 5 * time.Minute
	list, err := config.Describe(&dst)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]config.EnvVar{}
	for _, v := range list {
		got[v.Name] = v
	}
	for _, want := range []config.EnvVar{
		{Name: "POSTGRES_URL", Group: "Postgres", Type: "secret", Default: "[hidden]", Value: "[hidden]", Help: "connection string", Origin: config.FromDefault, Secret: true},
		{Name: "POSTGRES_MAX_CONNS", Group: "Postgres", Type: "whole number", Default: "10", Value: "10", Origin: config.FromDefault, Allowed: "1 to 100"},
		{Name: "HTTP_TIMEOUT", Group: "HTTP", Type: "duration", Default: "5m", Value: "5m", Origin: config.FromDefault, Allowed: "10ms or more"},
		{Name: "MODE", Type: "text", Default: "fast", Value: "fast", Origin: config.FromDefault, Allowed: "fast or safe"},
		{Name: "HOSTS", Type: "list of text", Default: "a,b", Value: "a,b", Origin: config.FromDefault},
		{Name: "ENDPOINT", Type: "URL", Origin: config.Unset},
	} {
		if got[want.Name] != want {
			t.Errorf("got  %+v\nwant %+v", got[want.Name], want)
		}
	}
	dst.Postgres.URL = ""
	if list, err = config.Describe(&dst); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.Name == "POSTGRES_URL" && !v.Required {
			t.Errorf("without a value in the struct: %+v, want it to be required", v)
		}
	}
	if len(list) != 14 || list[0].Name != "OWNER" {
		t.Errorf("got %d variables beginning with %s, want 14 beginning with OWNER", len(list), list[0].Name)
	}
}
