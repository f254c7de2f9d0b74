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

// advances are the widths of the characters from the space on, in thousandths of the size: for each the largest
// of Inter, with digits of one width, DejaVu Sans and Helvetica, which is as wide as Arial and Liberation Sans.
// Segoe UI and Roboto are narrower. A text is at most as wide as measured, whichever font the reader has.
var advances = [...]int{
	318, 401, 460, 838, 638, 951, 780, 275, 391, 391, 500, 838, 318, 461, 318, 357,
	648, 648, 648, 648, 648, 648, 648, 648, 648, 648, 337, 337, 838, 838, 838, 556,
	1015, 685, 687, 728, 771, 667, 611, 778, 752, 295, 543, 667, 563, 890, 753, 788, 667, 788, 722, 667, 643, 742, 685, 989, 686, 667, 686,
	391, 357, 391, 838, 556, 500,
	613, 635, 559, 635, 616, 361, 635, 634, 278, 278, 580, 278, 975, 634, 612, 635, 635, 412, 523, 393, 634, 592, 818, 592, 592, 542,
	637, 337, 637, 838,
}

// Widths of characters that have no entry, in thousandths of the size.
const (
	latin  = 790  // up to U+036F
	script = 900  // Greek, Cyrillic and others below U+2000
	wide   = 1000 // symbols and ideographs
)

// width returns the largest width in pixels that a text has in the fonts of [advances].
func (s style) width(text string) float64 {
	if s.mono {
		return float64(utf8.RuneCountInString(text)) * s.size * 0.61
	}
	total := 0
	for _, r := range text {
		total += advance(r)
	}
	w := float64(total) * s.size / 1000
	if s.bold {
		w *= 1.03 // Inter's weight of 500
	}
	return w
}

func advance(r rune) int {
	switch i := int(r - ' '); {
	case i >= 0 && i < len(advances):
		return advances[i]
	case r < 0x370:
		return latin
	case r < 0x2000:
		return script
	}
	return wide
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

const ellipsis = "…"

// fitMiddle cuts a text in its middle, so that names with a common beginning stay different: two thirds of the
// width are for its end.
func fitMiddle(text string, width float64, s style) string {
	if s.width(text) <= width {
		return text
	}
	runes := []rune(text)
	runes = runes[max(len(runes)-maxText, 0):]
	head, tail := 0, len(runes)
	left := width - s.width(ellipsis)
	for end := left * 2 / 3; tail > head && s.width(string(runes[tail-1:])) <= end; {
		tail--
	}
	left -= s.width(string(runes[tail:]))
	for head < tail && s.width(string(runes[:head+1])) <= left {
		head++
	}
	if head == 0 && tail == len(runes) {
		return ""
	}
	return strings.TrimRight(string(runes[:head]), " ") + ellipsis + strings.TrimLeft(string(runes[tail:]), " ")
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
