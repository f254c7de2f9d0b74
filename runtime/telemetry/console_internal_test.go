package telemetry

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func TestColorsOfAConsole(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{slog.LevelInfo: ansiGreen, slog.LevelWarn: ansiYellow, slog.LevelError: ansiRed} {
		var out bytes.Buffer
		slog.New(newConsole(&out, slog.LevelInfo, true)).Log(t.Context(), level, "x", "a", 1)
		if got := out.String(); !strings.Contains(got, want+padded(level.String())+ansiReset+" x "+ansiDim+"a=1"+ansiReset+"\n") {
			t.Errorf("%s gave %q", level, got)
		}
		out.Reset()
		slog.New(newConsole(&out, slog.LevelInfo, true)).Log(t.Context(), level, "bare")
		if got := out.String(); !strings.HasSuffix(got, ansiReset+" bare\n") {
			t.Errorf("without attributes %s gave %q", level, got)
		}
	}
}

// The null device and files are not terminals.
func TestIsTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = null.Close(), file.Close() })
	for _, f := range []*os.File{file, null} {
		if isTerminal(f) {
			t.Errorf("%s counts as a terminal", f.Name())
		}
	}
	if isTerminal(&bytes.Buffer{}) {
		t.Error("a buffer counts as a terminal")
	}
}
