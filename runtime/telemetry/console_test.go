package telemetry_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

func TestTextLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out, Config: telemetry.Config{LogFormat: "text"}})
	if err != nil {
		t.Fatal(err)
	}
	log := tel.Logger()
	log.Debug("hidden")
	log.Info("plain")
	log.Info("own keys", "level", "debug", "msg", "y")
	log.With("a", 1).WithGroup("g").Warn("with attributes", "b", "x y", "level", "own", "c", "\x1b[2J", "seconds", 5.317e-06)
	log.Error("control \x1b[2J")
	tel.WriteLine(t.Context(), time.Now(), slog.LevelInfo, "request", []slog.Attr{slog.Int("status", 200)})
	want := `TIME INFO  plain
TIME INFO  own keys level=debug msg=y
TIME WARN  with attributes a=1 g.b="x y" g.level=own g.c="\x1b[2J" g.seconds=0.000005
TIME ERROR "control \x1b[2J"
TIME INFO  request status=200
`
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}`).ReplaceAllString(out.String(), "TIME")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAutoIsJSONWithoutATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for _, format := range []string{"", "auto", "json"} {
		tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out, Config: telemetry.Config{LogFormat: format}})
		if err != nil {
			t.Fatal(err)
		}
		out.Reset()
		tel.Logger().Info("x")
		if !bytes.HasPrefix(out.Bytes(), []byte(`{"time":`)) {
			t.Errorf("%q gave %s", format, &out)
		}
	}
}
