package merge

import (
	"bytes"
	"slices"
)

// Union resolves the conflicts in a text that git left and accept returns true for: the lines of both sides stay, as with
// git's merge=union. The argument of accept are these lines.
func Union(text []byte, accept func(lines []byte) bool) []byte {
	var out [][]byte
	rest := bytes.Split(text, []byte("\n"))
	for len(rest) > 0 {
		h, after, ok := hunk{}, [][]byte(nil), false
		if bytes.HasPrefix(rest[0], []byte("<<<<<<< ")) {
			h, after, ok = hunkOf(rest)
		}
		both := slices.Concat(h.mine, h.next)
		if !ok || !accept(bytes.Join(both, []byte("\n"))) {
			out, rest = append(out, rest[0]), rest[1:]
			continue
		}
		out, rest = append(out, both...), after
	}
	return bytes.Join(out, []byte("\n"))
}
