package merge

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
)

// importLine matches a line of an import declaration.
var importLine = regexp.MustCompile(`^\t(?:[\w.]+ )?("[^"\s]+")$`)

// mergeImports resolves conflicts between lines of import declarations: those that one side added stay, and those that
// one side removed go.
func mergeImports(merged []byte) (data []byte, conflicts bool) {
	var out [][]byte
	rest := bytes.Split(merged, []byte("\n"))
	for len(rest) > 0 {
		if !bytes.HasPrefix(rest[0], []byte("<<<<<<< ")) {
			out, rest = append(out, rest[0]), rest[1:]
			continue
		}
		h, after, ok := hunkOf(rest)
		if !ok {
			return merged, true
		}
		if lines, ok := h.imports(); ok {
			out = append(out, lines...)
		} else {
			conflicts = true
			out = append(out, rest[:len(rest)-len(after)]...)
		}
		rest = after
	}
	return bytes.Join(out, []byte("\n")), conflicts
}

// hunk is a conflict in the style diff3.
type hunk struct{ mine, base, next [][]byte }

// hunkOf returns the conflict at the beginning of the lines, and those after it.
func hunkOf(lines [][]byte) (h hunk, after [][]byte, ok bool) {
	part := &h.mine
	for i, line := range lines[1:] {
		switch {
		case bytes.HasPrefix(line, []byte("||||||| ")):
			part = &h.base
		case bytes.Equal(line, []byte("=======")):
			part = &h.next
		case bytes.HasPrefix(line, []byte(">>>>>>> ")):
			return h, lines[i+2:], true
		default:
			*part = append(*part, line)
		}
	}
	return hunk{}, nil, false
}

// imports returns the imports of both sides, sorted by path. It reports false if other lines differ, too.
func (h hunk) imports() ([][]byte, bool) {
	has := func(lines [][]byte, line []byte) bool {
		return slices.ContainsFunc(lines, func(l []byte) bool { return bytes.Equal(l, line) })
	}
	var out [][]byte
	for _, line := range slices.Concat(h.mine, h.base, h.next) {
		if !importLine.Match(line) {
			return nil, false
		}
		removed := has(h.base, line) && (!has(h.mine, line) || !has(h.next, line))
		if !removed && !has(out, line) {
			out = append(out, line)
		}
	}
	path := func(line []byte) string { return string(importLine.FindSubmatch(line)[1]) }
	slices.SortFunc(out, func(a, b []byte) int { return cmp.Compare(path(a), path(b)) })
	return out, true
}
