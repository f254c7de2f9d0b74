package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// plain escapes what a terminal would interpret or XML does not allow. Details
// quote services, databases and files.
func plain(text string) string {
	var b strings.Builder
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\n' || r == '\t' || unicode.IsGraphic(r):
			b.WriteRune(r)
		case r == '\r' && strings.HasPrefix(text[i+1:], "\n"): // line ending on Windows
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// oneLine is plain text without line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(plain(text)), " ") }

// place is the file and line of a check in the form that editors jump to.
func (c Check) place() string {
	switch {
	case c.File == "":
		return ""
	case c.Line == 0:
		return oneLine(c.File)
	}
	return fmt.Sprintf("%s:%d", oneLine(c.File), c.Line)
}

// short formats seconds as a duration, from an hour on without seconds.
func short(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if d.Abs() >= time.Hour {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.String()
}

// summary is the report in one clause, as in "all 12 checks passed".
func (r Report) summary() string {
	text := r.counts()
	if r.Quick {
		text += " (quick run)"
	}
	return text
}

func (r Report) counts() string {
	var all tally
	for _, c := range r.Checks {
		all = all.plus(c)
	}
	ran := all.passed + all.failed + all.notRun
	switch {
	case r.Interrupted:
		return fmt.Sprintf("interrupted after %s, %d failed", checks(all.passed+all.failed), all.failed)
	case r.Failures() > 0:
		return fmt.Sprintf("%d of %s failed", r.Failures(), checks(ran))
	case ran == 0:
		return "no check ran"
	case all.skipped > 0:
		return fmt.Sprintf("%s passed, %d skipped", checks(ran), all.skipped)
	case ran == 1:
		return "1 check passed"
	}
	return "all " + checks(ran) + " passed"
}

func checks(n int) string {
	if n == 1 {
		return "1 check"
	}
	return fmt.Sprintf("%d checks", n)
}

// skippedAlone reports whether a check was skipped in a section of which other
// checks ran, or which has more: reports list those one by one.
func (r Report) skippedAlone(c Check) bool {
	return c.Status == Skipped && !r.skipsWhole(c.Section)
}

// skipsWhole reports whether one skipped check stands for the whole section.
func (r Report) skipsWhole(section string) bool {
	checks := r.Of(section)
	return len(checks) == 1 && checks[0].Status == Skipped
}

// tally counts checks by status.
type tally struct{ passed, failed, notRun, skipped int }

func (t tally) plus(c Check) tally {
	switch c.Status {
	case Passed:
		t.passed++
	case Failed:
		t.failed++
	case NotRun:
		t.notRun++
	case Skipped:
		t.skipped++
	}
	return t
}

func (r Report) tally(section string) tally {
	var t tally
	for _, c := range r.Of(section) {
		t = t.plus(c)
	}
	if !r.Interrupted {
		t.failed, t.notRun = t.failed+t.notRun, 0
	}
	return t
}

// ran counts the checks that were not skipped.
func (t tally) ran() int { return t.passed + t.failed + t.notRun }

func (t tally) status() Status {
	switch {
	case t.failed > 0:
		return Failed
	case t.notRun > 0:
		return NotRun
	case t.passed == 0:
		return Skipped
	}
	return Passed
}

// printer keeps the first error of writing.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
