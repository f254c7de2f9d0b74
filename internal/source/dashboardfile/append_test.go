package dashboardfile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

const newPanel = `{"id": 101, "title": "<\"id\":101,>", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 0}}`

func TestAppendKeepsTheFormat(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ src, want string }{
		"two spaces": {
			"{\n  \"panels\": [\n    {\"id\": 7, \"gridPos\": {\"h\": 4, \"y\": 6}}\n  ],\n  \"uid\": \"a\"\n}\n",
			"{\n  \"panels\": [\n    {\"id\": 7, \"gridPos\": {\"h\": 4, \"y\": 6}},\n    {\n      \"id\": 8,\n      \"title\": \"<\\\"id\\\":101,>\",\n      \"gridPos\": {\n        \"h\": 8,\n        \"w\": 24,\n        \"x\": 0,\n        \"y\": 10\n      }\n    }\n  ],\n  \"uid\": \"a\"\n}\n",
		},
		"tabs and CRLF": {
			"{\r\n\t\"panels\": []\r\n}",
			"{\r\n\t\"panels\": [\r\n\t\t{\r\n\t\t\t\"id\": 1,\r\n\t\t\t\"title\": \"<\\\"id\\\":101,>\",\r\n\t\t\t\"gridPos\": {\r\n\t\t\t\t\"h\": 8,\r\n\t\t\t\t\"w\": 24,\r\n\t\t\t\t\"x\": 0,\r\n\t\t\t\t\"y\": 0\r\n\t\t\t}\r\n\t\t}\r\n\t]\r\n}",
		},
		"one line, byte order mark": {
			"\ufeff{\"uid\":\"a\",\"panels\":[{\"id\":2,\"panels\":[{\"id\":9}]}],\"refresh\":1.50}",
			"\ufeff{\"uid\":\"a\",\"panels\":[{\"id\":2,\"panels\":[{\"id\":9}]},{\"id\":10,\"title\":\"<\\\"id\\\":101,>\",\"gridPos\":{\"h\":8,\"w\":24,\"x\":0,\"y\":0}}],\"refresh\":1.50}",
		},
		"objects that follow each other": {
			"{\n \"panels\": [{\n  \"id\": 1\n }]\n}\n",
			"{\n \"panels\": [{\n  \"id\": 1\n }, {\n  \"id\": 2,\n  \"title\": \"<\\\"id\\\":101,>\",\n  \"gridPos\": {\n   \"h\": 8,\n   \"w\": 24,\n   \"x\": 0,\n   \"y\": 0\n  }\n }]\n}\n",
		},
	} {
		got, err := dashboardfile.Append("own.json", []byte(tc.src), []byte(newPanel))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: %v, got\n%q\nwant\n%q", name, err, got, tc.want)
		}
	}
}

func TestAppendRejectsOtherLists(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`{"rows": []}`:                          "own.json: the dashboard has no list panels",
		`{"panels": {}}`:                        "own.json: the list panels has an unusual form",
		`{"panels": [], "panels": []}`:          "own.json: the list panels has an unusual form",
		`{"panels": [{"id": "x"}]}`:             "own.json: the list panels has an unusual form",
		"{\"panels\": [],\n}":                   "own.json:2:1: not JSON",
		`{"panels": [], "schemaVersion": 1} {}`: "own.json:1:36: not JSON",
	} {
		out, err := dashboardfile.Append("own.json", []byte(src), []byte(newPanel))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v and %s, want %s", src, err, out, want)
		}
	}
}

// The text without the new panel is the text of before, and the panel is read back.
func FuzzAppend(f *testing.F) {
	for _, src := range []string{
		"{\n  \"panels\": [\n    {\"id\": 7, \"gridPos\": {\"h\": 4, \"y\": 6}}\n  ],\n  \"uid\": \"a\"\n}\n", "{\r\n\t\"panels\": []\r\n}",
		"\ufeff{\"uid\":\"a\",\"panels\":[{\"id\":2,\"panels\":[{\"id\":9}]}],\"refresh\":1.50}", "{\n \"panels\": [{\n  \"id\": 1\n }]\n}\n",
		`{"panels":[{"id":1e300}]}`, "{\"uid\":\n\"a\",\n\"panels\":\n[\n]}",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		before, err := dashboardfile.Parse("own.json", src)
		if err != nil {
			return
		}
		out, err := dashboardfile.Append("own.json", src, []byte(newPanel))
		if err != nil {
			return
		}
		after, err := dashboardfile.Parse("own.json", out)
		if err != nil || len(after.Panels) != len(before.Panels)+1 || after.UID != before.UID {
			t.Fatalf("%v: %d panels of %d in\n%s", err, len(after.Panels), len(before.Panels), out)
		}
		begin := 0 // the first byte that differs
		for begin < len(src) && src[begin] == out[begin] {
			begin++
		}
		rest := len(src) - begin
		for !bytes.HasSuffix(out, src[len(src)-rest:]) { // white space of [ ] may go
			rest--
		}
		if kept := strings.TrimSpace(string(src[begin : len(src)-rest])); kept != "" {
			t.Fatalf("%q is missing in\n%s", kept, out)
		}
	})
}
