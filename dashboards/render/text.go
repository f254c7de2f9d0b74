package render

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Fonts of the reader's system.
const (
	sans      = "Inter,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
	monospace = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
)

// ascent is the part of a font's size above the baseline.
const ascent = 0.8

// advances are the widths of the characters from the space on, in thousandths of the size. They are
// those of Helvetica, which are as wide as or wider than in the other fonts of [sans]; digits are as
// wide as Inter's.
var advances = [...]int{
	278, 278, 355, 620, 620, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
	620, 620, 620, 620, 620, 620, 620, 620, 620, 620, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611,
	278, 278, 278, 469, 556, 333,
	556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500,
	334, 260, 334, 584,
}

// width estimates the width of a text in pixels.
func (s style) width(text string) float64 {
	if s.mono {
		return float64(len([]rune(text))) * s.size * 0.61
	}
	total := 0
	for _, r := range text {
		switch i := int(r - ' '); {
		case i >= 0 && i < len(advances):
			total += advances[i]
		case r < 0x2000:
			total += 620
		default:
			total += 1000
		}
	}
	w := float64(total) * s.size / 1000
	if s.bold {
		w *= 1.05
	}
	return w
}

// fit cuts a text with an ellipsis at a width.
func fit(text string, width float64, s style) string {
	if len(text) > maxText {
		text = string([]rune(text)[:min(utf8.RuneCountInString(text), maxText)])
	}
	if width < 0 {
		return ""
	}
	if s.width(text) <= width {
		return text
	}
	const ellipsis = "…"
	runes := []rune(text)
	low, high := 0, len(runes)
	for low < high {
		middle := (low + high + 1) / 2
		if s.width(string(runes[:middle])+ellipsis) <= width {
			low = middle
		} else {
			high = middle - 1
		}
	}
	if low == 0 {
		return ""
	}
	return strings.TrimRight(string(runes[:low]), " ") + ellipsis
}

// maxText is the number of characters of a text that are drawn: more than a panel has room for.
const maxText = 4096

// wider returns the start of a text that is wider than a width, or all of it: measuring the rest of a long word
// for each of its lines would take a long time.
func (s style) wider(text string, width float64) string {
	const narrowest = 0.15 // of the size
	n := int(width/(s.size*narrowest)) + 2
	for i := range text {
		if n--; n < 0 {
			return text[:i]
		}
	}
	return text
}

// maxWrapped is the number of lines of a text: more than the highest panel has.
const maxWrapped = 600

// wrap breaks a text into lines of a width, at spaces where there are any.
func wrap(text string, width float64, s style) []string {
	text = fit(text, math.Inf(1), s)
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if len(lines) > maxWrapped {
			break
		}
		next := strings.TrimLeft(line+" "+word, " ")
		if line != "" && s.width(next) > width {
			lines = append(lines, line)
			next = word
		}
		for len(lines) <= maxWrapped {
			part := s.wider(next, width)
			if s.width(part) <= width || utf8.RuneCountInString(part) <= 1 {
				break
			}
			head := strings.TrimSuffix(fit(part, width, s), "…")
			if head == "" {
				head = string([]rune(next)[:1])
			}
			lines = append(lines, head)
			next = strings.TrimPrefix(next, head)
		}
		line = next
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
