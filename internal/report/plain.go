package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// plain makes text harmless to a terminal and valid in XML. Details quote what
// services, databases and files say: an escape sequence among it is shown and does
// not act.
func plain(text string) string {
	var b strings.Builder
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\n' || r == '\t' || unicode.IsGraphic(r):
			b.WriteRune(r)
		case r == '\r' && strings.HasPrefix(text[i+1:], "\n"): // the end of a line elsewhere
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

// place is where a claim stands, as editors and terminals jump to.
func (p Proof) place() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return oneLine(p.File)
	}
	return fmt.Sprintf("%s:%d", oneLine(p.File), p.Line)
}

// short writes a span of time for people: seconds matter below an hour only.
func short(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if d.Abs() >= time.Hour {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.String()
}

// verdict is the report in one clause.
func (r Report) verdict() string {
	quick := ""
	if r.Quick {
		quick = " (quick run)"
	}
	if r.Interrupted {
		passed, failed := 0, 0
		for _, p := range r.Proofs {
			switch p.Status {
			case Holds:
				passed++
			case Fails:
				failed++
			}
		}
		return fmt.Sprintf("interrupted after %s, %d failed", plural(passed+failed, "check", "checks"), failed) + quick
	}
	return r.completed() + quick
}

// completed is the verdict on a run that was not interrupted.
func (r Report) completed() string {
	if n := r.Failures(); n > 0 {
		return fmt.Sprintf("%d of %s", n, plural(len(r.Proofs), "proof fails", "proofs fail"))
	}
	unseen, skipped := 0, 0
	for _, p := range r.Proofs {
		if foreign(p) {
			unseen++
		}
		if p.Status == Skipped {
			skipped++
		}
	}
	looked := plural(len(r.Proofs)-unseen-skipped, "proof holds", "proofs hold")
	if unseen > 0 {
		looked += fmt.Sprintf(", %d not looked at", unseen)
	}
	if skipped > 0 {
		looked += fmt.Sprintf(", %d skipped", skipped)
	}
	switch {
	case len(r.Proofs) == unseen+skipped:
		return "nothing was proven"
	case unseen+skipped > 0:
		return looked
	}
	if len(r.Proofs) == 1 {
		return "1 proof holds"
	}
	return "all " + plural(len(r.Proofs), "proof holds", "proofs hold")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func foreign(p Proof) bool { return p.Status == Foreign }

// skippedAlone says whether a proof was skipped in a section that was not: a whole
// section is listed already.
func (r Report) skippedAlone(p Proof) bool {
	return p.Status == Skipped && r.tally(p.Section).status() != Skipped
}

// tally counts the proofs of one section.
type tally struct {
	holds, foreign, skipped, all int
	notRun                       int // because of an interrupt
}

// looked is how many were not left out.
func (t tally) looked() int { return t.all - t.foreign - t.skipped }

func (r Report) tally(section string) tally {
	var t tally
	for _, p := range r.Of(section) {
		t.all++
		switch p.Status {
		case Holds:
			t.holds++
		case Foreign:
			t.foreign++
		case Skipped:
			t.skipped++
		case NotRun:
			if r.Interrupted {
				t.notRun++
			}
		}
	}
	return t
}

func (t tally) status() Status {
	switch {
	case t.holds+t.notRun < t.looked():
		return Fails
	case t.notRun > 0:
		return NotRun
	case t.skipped == t.all:
		return Skipped
	case t.holds == 0:
		return Foreign
	}
	return Holds
}

// printer remembers the first error of writing.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
