package workspace

import (
	"strings"
	"testing"
)

// What git makes of two manifests is read, whatever the order of lines and commas.
func TestManifestsThatGitMerged(t *testing.T) {
	t.Parallel()
	line := func(path, sum string) string {
		return `    {"path":"` + path + `","digest":"` + sum + `","owner":"generated","mode":"0644"}`
	}
	head := "{\n  \"schema\": 2,\n  \"generator\": \"v0.1.0\",\n  \"layers\": [\n    {\"name\":\"scaffold\",\"version\":\"v0.1.0\",\"digest\":\"1\"}\n  ],\n  \"files\": [\n"
	const end = "\n  ]\n}\n"
	for name, tc := range map[string]struct {
		text string
		want map[string]string // digests by path, "" if it is an error
	}{
		"two lines for a path":    {head + line("a", "1") + ",\n" + line("a", "2") + ",\n" + line("b", "1") + end, map[string]string{"a": "1 2", "b": "1"}},
		"another order":           {head + line("b", "1") + ",\n" + line("a", "1") + ",\n" + line("b", "2") + end, map[string]string{"a": "1", "b": "1 2"}},
		"a missing comma":         {head + line("a", "1") + "\n" + line("b", "1") + end, map[string]string{"a": "1", "b": "1"}},
		"one comma too many":      {head + line("a", "1") + ",\n" + line("b", "1") + "," + end, map[string]string{"a": "1", "b": "1"}},
		"conflict markers":        {head + "<<<<<<< HEAD\n" + line("a", "1") + "\n=======\n" + line("a", "2") + "\n>>>>>>> b" + end, map[string]string{"a": "1 2"}},
		"CRLF":                    {strings.ReplaceAll(head+line("a", "1")+"\n"+line("b", "1")+end, "\n", "\r\n"), map[string]string{"a": "1", "b": "1"}},
		"versions of both sides":  {strings.Replace(head, `"generator": "v0.1.0",`, "\"generator\": \"v0.1.0\",\n  \"generator\": \"v0.1.1\",", 1) + line("a", "1") + "\n" + line("b", "1") + end, map[string]string{"a": "1", "b": "1"}},
		"cut off":                 {head + line("a", "1") + ",\n" + line("b", "1"), nil},
		"another line":            {head + line("a", "1") + "\nb\n" + line("b", "1") + end, nil},
		"an unknown key":          {head + line("a", "1") + "\n" + `    {"path":"b","x":1}` + end, nil},
		"a path out of the tree":  {head + line("a", "1") + "\n" + line("../b", "1") + end, nil},
		"another scaffold, newer": {strings.Replace(head, `"generator": "v0.1.0",`, "\"generator\": \"v0.1.0\",\n  \"generator\": \"v9.0.0\",", 1) + line("a", "1") + "\n" + line("b", "1") + end, nil},
	} {
		m, err := decodeManifest([]byte(tc.text), options("v0.2.0"))
		if (err != nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			continue
		}
		got := map[string]string{}
		for _, e := range m.Files {
			got[e.Path] = strings.Join(m.united[e.Path], " ")
		}
		equal(t, tc.want, got)
	}
}
