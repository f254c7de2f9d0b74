package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Values of LOG_FORMAT.
const (
	formatAuto = "auto"
	formatText = "text"
	formatJSON = "json"
)

// writesText reports whether log lines are text.
func (c Config) writesText(out io.Writer) bool {
	return c.LogFormat == formatText || c.LogFormat == formatAuto && isTerminal(out)
}

// isTerminal reports whether the writer is a terminal. The null device is a character device,
// too.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(info, null)
}

// consoleTime has no date.
const consoleTime = "15:04:05.000"

// ANSI escape sequences.
const (
	ansiReset  = "\x1b[0m"
	ansiDim    = "\x1b[2m"
	ansiRed    = "\x1b[31m"
	ansiGreen  = "\x1b[32m"
	ansiYellow = "\x1b[33m"
)

// console writes records as text: time, level and message, then attributes in the form of slog's
// text handler.
type console struct {
	*consoleOutput

	attributes slog.Handler // writes to consoleOutput.line
}

// consoleOutput is shared by the handlers derived from one console.
type consoleOutput struct {
	level slog.Leveler
	color bool
	out   io.Writer

	mu   sync.Mutex
	line bytes.Buffer
}

func newConsole(out io.Writer, level slog.Leveler, color bool) console {
	o := &consoleOutput{level: level, color: color, out: out}
	return console{o, slog.NewTextHandler(&o.line, &slog.HandlerOptions{Level: level, ReplaceAttr: forPeople})}
}

// forPeople removes the attributes that begin the line, and writes numbers without exponents.
func forPeople(groups []string, a slog.Attr) slog.Attr {
	const digits = 1e6 // microseconds if the unit is seconds
	_, level := a.Value.Any().(slog.Level)
	switch {
	case len(groups) == 0 && (a.Key == slog.LevelKey && level || a.Key == slog.MessageKey && a.Value.String() == ""):
		return slog.Attr{}
	case a.Value.Kind() == slog.KindFloat64:
		a.Value = slog.StringValue(strconv.FormatFloat(math.Round(a.Value.Float64()*digits)/digits, 'f', -1, 64))
	}
	return a
}

// Enabled implements [slog.Handler].
func (c console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// Handle implements [slog.Handler].
func (c console) Handle(ctx context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line.Reset()
	c.paint(ansiDim, r.Time.Format(consoleTime))
	c.line.WriteByte(' ')
	c.paint(levelColor(r.Level), padded(r.Level.String()))
	c.line.WriteByte(' ')
	c.line.WriteString(printable(r.Message))
	message := c.line.Len()
	c.line.WriteByte(' ')
	if c.color {
		c.line.WriteString(ansiDim)
	}
	head := c.line.Len()
	attributes := slog.Record{Level: r.Level}
	r.Attrs(func(a slog.Attr) bool { attributes.AddAttrs(a); return true })
	if err := c.attributes.Handle(ctx, attributes); err != nil {
		return err
	}
	c.line.Truncate(c.line.Len() - len("\n"))
	switch {
	case c.line.Len() == head:
		c.line.Truncate(message)
	case c.color:
		c.line.WriteString(ansiReset)
	}
	c.line.WriteByte('\n')
	_, err := c.out.Write(c.line.Bytes())
	return err
}

func (c console) paint(escape, text string) {
	if !c.color {
		c.line.WriteString(text)
		return
	}
	c.line.WriteString(escape + text + ansiReset)
}

// WithAttrs implements [slog.Handler].
func (c console) WithAttrs(attrs []slog.Attr) slog.Handler {
	return console{c.consoleOutput, c.attributes.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (c console) WithGroup(name string) slog.Handler {
	return console{c.consoleOutput, c.attributes.WithGroup(name)}
}

func levelColor(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return ansiRed
	case l >= slog.LevelWarn:
		return ansiYellow
	}
	return ansiGreen
}

// padded pads the level to the width of the longest standard level.
func padded(level string) string {
	const width = len("ERROR")
	return level + strings.Repeat(" ", max(0, width-len(level)))
}

// printable quotes a message with terminal control characters.
func printable(message string) string {
	if strings.ContainsFunc(message, unicode.IsControl) {
		return strconv.Quote(message)
	}
	return message
}
