package merge_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/observability-first/scaffold/internal/merge"
)

// Any three versions merge without losing a line of the user, or the error says why not.
func FuzzFile(f *testing.F) {
	names := []string{"Makefile", "main.go", "openapi.json", "ci.yaml", "go.sum", "go.mod"}
	for i, seed := range [][3]string{
		{"a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n"},
		{"import (\n\t\"a\"\n)\n", "import (\n\t\"a\"\n\t\"m\"\n)\n", "import (\n\t\"a\"\n\t\"n\"\n)\n"},
		{"{\n  \"a\": 1\n}\n", "{\n  \"m\": 1\n}\n", "{\n  \"n\": 1\n}\n"},
		{"a: 1\nb: 2\n", "a: 1 # why\nb: 2\n", "a: 1\nb: 3\n"},
		{"a\n", "a\nm\n", "a\nn\n"},
		{"module a\n\nrequire b v1.0.0\n", "module a\n\nrequire b v1.1.0\n", "module a\n\nrequire b v1.0.1\n"},
		{"", "\r\na", "\xff\x00"},
		{"<<<<<<< yours\n", "a\n=======\n", ">>>>>>> new from scaffold\n"},
	} {
		f.Add(uint8(i), []byte(seed[0]), []byte(seed[1]), []byte(seed[2]))
	}
	f.Fuzz(func(t *testing.T, format uint8, base, mine, next []byte) {
		name := names[int(format)%len(names)]
		got, err := merge.File(name, merge.Sides{Base: base, Mine: mine, New: next})
		if err != nil {
			if name != "go.mod" {
				t.Fatal(err)
			}
			return // it cannot be parsed
		}
		switch {
		case name == "openapi.json" && !got.Conflicts && json.Valid(base) && json.Valid(mine) && json.Valid(next) && !json.Valid(got.Data):
			t.Errorf("not JSON:\n%s", got.Data)
		case slices.Contains(names[:3], name), name == "go.sum":
			if line := lostLine(base, mine, got.Data); line != nil && !bytes.Equal(mine, base) {
				t.Errorf("%q is lost:\n%s", line, got.Data)
			}
		}
	})
}

// lostLine returns a line that mine has, and neither base nor the merge, or nil.
func lostLine(base, mine, merged []byte) []byte {
	lines := func(data []byte) [][]byte { return bytes.Split(data, []byte("\n")) }
	for _, line := range lines(mine) {
		line = bytes.TrimSpace(line)
		has := func(l []byte) bool { return bytes.Equal(bytes.TrimSpace(l), line) }
		if len(line) > 0 && !slices.ContainsFunc(lines(base), has) && !slices.ContainsFunc(lines(merged), has) {
			return line
		}
	}
	return nil
}
