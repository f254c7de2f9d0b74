package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

// WriteLine writes the same bytes as the logger.
func FuzzLinesAreTheLoggers(f *testing.F) {
	f.Add("request completed", "/users/7", int64(200), 0.25, true)
	f.Add("\x00\b\f\n\r\t\"\\<&>\u2028\u2029\x7f\xff\xc3", "é\u4e16", int64(math.MinInt64), 5e-7, false)
	f.Add("", "\xed\xa0\x80", int64(0), 1e21, false)
	f.Add("", "", int64(-1), math.NaN(), true)
	f.Add("", "", int64(-1), 1e-10, true)
	f.Add("", "", int64(-1), math.Copysign(0, -1), true)
	f.Fuzz(func(t *testing.T, msg, text string, number int64, share float64, flag bool) {
		now := time.Now()
		tel, out := newLineTelemetry(t, Config{TracesExporter: "otlp"})
		attributes := []slog.Attr{
			slog.String("text", text), slog.String(text, msg), slog.Int64("number", number),
			slog.Float64("share", share), slog.Bool("flag", flag), slog.Any("error", errors.New(text)),
		}
		if !math.IsNaN(share) && !math.IsInf(share, 0) {
			attributes = attributes[:len(attributes)-1] // plain attributes use the fast path
		}
		ctx := parentContext(flag, false)
		tel.WriteLine(ctx, now, slog.LevelInfo, msg, attributes)
		got := out.String()
		out.Reset()
		record := slog.NewRecord(now, slog.LevelInfo, msg, 0)
		record.AddAttrs(attributes...)
		if err := tel.logger.Handler().Handle(ctx, record); err != nil {
			t.Fatal(err)
		}
		if got, want := withoutTime(got), withoutTime(out.String()); got != want {
			t.Errorf("the line and the logger's differ:\n%s%s", got, want)
		}
	})
}

// withoutTime removes the time, which the logger reads itself.
func withoutTime(line string) string {
	_, rest, _ := strings.Cut(line, `","level"`)
	return rest
}

func newLineTelemetry(t testing.TB, c Config) (*Telemetry, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	tel, err := New(Options{Service: "orders", Stdout: &out, Config: c})
	if err != nil {
		t.Fatal(err)
	}
	return tel, &out
}

func TestLinesFormatTimesLikeTheLogger(t *testing.T) {
	t.Parallel()
	tel, out := newLineTelemetry(t, Config{})
	now := time.Now()
	tel.WriteLine(context.Background(), now, slog.LevelInfo, "x", nil)
	got := out.String()
	out.Reset()
	if err := tel.logger.Handler().Handle(context.Background(), slog.NewRecord(now, slog.LevelInfo, "x", 0)); err != nil {
		t.Fatal(err)
	}
	if got != out.String() {
		t.Errorf("got %swant %s", got, out)
	}
}

func TestLinesObeyLevelAndLimit(t *testing.T) {
	t.Parallel()
	tel, out := newLineTelemetry(t, Config{})
	tel.Level().Set(slog.LevelWarn)
	tel.WriteLine(context.Background(), time.Now(), slog.LevelInfo, "hidden", nil)
	for range 3 * errorBurst {
		tel.WriteLine(context.Background(), time.Now(), slog.LevelError, "request failed", nil)
		tel.Logger().Error("request failed") // counts as the same
	}
	if got := strings.Count(out.String(), "\n"); got != errorBurst || strings.Contains(out.String(), "hidden") {
		t.Errorf("%d lines, want %d:\n%s", got, errorBurst, out)
	}
}

// If records are also sent to a collector, lines go through the logger.
func TestLinesUseTheLoggerIfLogsAreExported(t *testing.T) {
	t.Parallel()
	tel, out := newLineTelemetry(t, Config{LogsExporter: "otlp"})
	if tel.lines != nil {
		t.Error("lines bypass the collector")
	}
	tel.WriteLine(context.Background(), time.Now(), slog.LevelInfo, "seen by both", nil)
	if !strings.Contains(out.String(), "seen by both") {
		t.Errorf("got %q", out)
	}
}

// Run with -race: both paths share one writer.
func TestLinesDoNotInterleave(t *testing.T) {
	t.Parallel()
	tel, out := newLineTelemetry(t, Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				tel.WriteLine(context.Background(), time.Now(), slog.LevelInfo, "short", nil)
				tel.Logger().Info("long")
			}
		})
	}
	wg.Wait()
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("a line is broken: %q", line)
		}
	}
}
