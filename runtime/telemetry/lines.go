package telemetry

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
)

// keptBuffer is the maximum size of a buffer that is reused. An access line has about 500 bytes;
// a long path must not keep more memory.
const keptBuffer = 4 << 10

// lines writes log lines with the same bytes as the logger, without the cost of records, handlers
// and locks. Each write is one line.
type lines struct {
	counts  *errorCounts
	buffers sync.Pool
	out     io.Writer
}

func newLines(out io.Writer, counts *errorCounts) *lines {
	return &lines{
		counts:  counts,
		out:     out,
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// WriteLine writes the same line as Logger().LogAttrs at the given time, at a lower cost. It is
// for lines that every request may write. It uses the logger if an attribute is not a string,
// integer, float or boolean, or if logs are also sent to a collector.
func (t *Telemetry) WriteLine(ctx context.Context, now time.Time, level slog.Level, msg string, attributes []slog.Attr) {
	if level < t.level.Level() {
		return
	}
	if t.lines == nil || slices.ContainsFunc(attributes, needsLogger) {
		t.logger.LogAttrs(ctx, level, msg, slices.Clone(attributes)...) //nolint:sloglint // the caller's is one
		return
	}
	missed := 0
	if level >= slog.LevelWarn {
		var write bool
		if write, missed = t.lines.counts.take(level.String() + msg); !write {
			return
		}
	}
	buffer := t.lines.buffers.Get().(*[]byte)
	line := appendLine((*buffer)[:0], now, level, msg, attributes)
	if missed > 0 {
		line = appendAttr(line, slog.Int(keySuppressed, missed))
	}
	line = appendIDs(line, trace.SpanContextFromContext(ctx))
	line = append(line, '}', '\n')
	_, _ = t.lines.out.Write(line) // never fails: dropped lines are counted
	if cap(line) <= keptBuffer {
		*buffer = line
		t.lines.buffers.Put(buffer)
	}
}

// needsLogger reports whether only the logger's handler can format the value.
func needsLogger(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindString, slog.KindInt64, slog.KindBool:
		return false
	case slog.KindFloat64:
		f := a.Value.Float64()
		return math.IsNaN(f) || math.IsInf(f, 0)
	}
	return true
}

func appendLine(line []byte, now time.Time, level slog.Level, msg string, attributes []slog.Attr) []byte {
	line = append(line, `{"time":"`...)
	line = now.Round(0).AppendFormat(line, time.RFC3339Nano)
	line = append(line, `","level":"`...)
	line = append(line, level.String()...)
	line = append(line, `","msg":`...)
	line = appendString(line, msg)
	for _, a := range attributes {
		line = appendAttr(line, a)
	}
	return line
}

func appendIDs(line []byte, sc trace.SpanContext) []byte {
	if !sc.IsValid() {
		return line
	}
	traceID, spanID := sc.TraceID(), sc.SpanID()
	line = append(line, `,"`+keyTraceID+`":"`...)
	line = hex.AppendEncode(line, traceID[:])
	line = append(line, `","`+keySpanID+`":"`...)
	line = hex.AppendEncode(line, spanID[:])
	line = append(line, `","`+keySampled+`":`...)
	return strconv.AppendBool(line, sc.IsSampled())
}

func appendAttr(line []byte, a slog.Attr) []byte {
	line = append(line, ',')
	line = appendString(line, a.Key)
	line = append(line, ':')
	switch a.Value.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(line, a.Value.Int64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(line, a.Value.Bool())
	case slog.KindFloat64:
		return appendFloat(line, a.Value.Float64())
	}
	return appendString(line, a.Value.String())
}

// appendFloat formats a number as encoding/json does: the shortest digits, and an exponent
// without a leading 0 only for very small or large numbers.
func appendFloat(line []byte, f float64) []byte {
	size := math.Abs(f)
	if size == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(line, f, 'f', -1, 64)
	}
	line = strconv.AppendFloat(line, f, 'e', -1, 64)
	if n := len(line); line[n-4] == 'e' && line[n-3] == '-' && line[n-2] == '0' {
		line[n-2] = line[n-1]
		line = line[:n-1]
	}
	return line
}

// appendString quotes a string as slog's JSON handler does: it escapes what JSON requires and
// U+2028 and U+2029, and replaces invalid UTF-8.
func appendString(line []byte, s string) []byte {
	line = append(line, '"')
	before := len(line)
	line = append(line, s...)
	if isPlain(line[before:]) {
		return append(line, '"')
	}
	line = line[:before]
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				line = appendEscape(append(line, s[start:i]...), c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if escape := escapeOf(r, size); escape != "" {
			line = append(append(line, s[start:i]...), escape...)
			start = i + size
		}
		i += size
	}
	line = append(line, s[start:]...)
	return append(line, '"')
}

// isPlain reports whether text needs no escapes. Nearly all strings of an access line are plain,
// and checking eight bytes at once halves the cost of a line.
func isPlain(text []byte) bool {
	const word = 8
	if len(text) < word {
		return !slices.ContainsFunc(text, isSpecial)
	}
	for i := 0; i < len(text)-word; i += word {
		if hasSpecial(binary.LittleEndian.Uint64(text[i:])) {
			return false
		}
	}
	// The last eight may overlap the previous ones.
	return !hasSpecial(binary.LittleEndian.Uint64(text[len(text)-word:]))
}

func isSpecial(c byte) bool { return c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf }

// hasSpecial reports whether one of eight bytes is below a space, a quote, a backslash or not
// ASCII. Subtraction sets the highest bit of a byte that is smaller than the subtrahend.
func hasSpecial(word uint64) bool {
	const (
		ones  = 0x0101010101010101
		highs = ones * 0x80
	)
	quotes, slashes := word^(ones*'"'), word^(ones*'\\')
	below := (word - ones*' ') &^ word
	equal := (quotes-ones)&^quotes | (slashes-ones)&^slashes
	return (word|below|equal)&highs != 0
}

func escapeOf(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return `\ufffd`
	case r == '\u2028':
		return `\u2028`
	case r == '\u2029':
		return `\u2029`
	}
	return ""
}

func appendEscape(line []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(line, '\\', c)
	case '\n':
		return append(line, '\\', 'n')
	case '\r':
		return append(line, '\\', 'r')
	case '\t':
		return append(line, '\\', 't')
	}
	line = append(line, `\u00`...)
	return hex.AppendEncode(line, []byte{c})
}
