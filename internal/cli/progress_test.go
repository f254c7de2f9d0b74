package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProgressFormats(t *testing.T) {
	t.Parallel()
	const width = 80
	for _, tt := range []struct {
		name            string
		terminal, lines bool
		output          string
		want            string
	}{
		{"one line on a terminal", true, false, "text", "\r\x1b[K  sending requests to every route …\r\x1b[K  sending requests to every route; simulating alerts 3 of 42: a healthy week …\r\x1b[K"},
		{"lines on a terminal", true, true, "text", "  sending requests to every route\n  simulating alerts 3 of 42: a healthy week\n"},
		{"lines without a terminal", false, true, "json", "  sending requests to every route\n  simulating alerts 3 of 42: a healthy week\n"},
		{"nothing without a terminal", false, false, "text", ""},
		{"nothing with JSON output", true, false, "json", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			g := &globals{output: tt.output}
			g.Streams = Streams{Err: &out, Terminal: tt.terminal}
			p := &progress{g: g, lines: tt.lines}
			p.show("sending requests to every route")
			p.simulating(3, 42, "a healthy week")
			p.clear()
			if got := out.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.show(strings.Repeat("ö", 200))
			last := out.String()[strings.LastIndex(out.String(), "\r")+1:]
			if tt.want != "" && !tt.lines && utf8.RuneCountInString(strings.TrimPrefix(last, "\x1b[K")) > width {
				t.Errorf("a line of a terminal is longer than %d: %q", width, last)
			}
		})
	}
}
