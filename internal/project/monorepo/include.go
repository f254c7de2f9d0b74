package monorepo

import (
	"bytes"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// gitlabFile is the name of GitLab pipeline files, at the root and in the directory of a
// service.
const gitlabFile = ".gitlab-ci.yml"

// PlanInclude plans the include entry in the root .gitlab-ci.yml for the jobs of the directory.
// The root file must have the stages. It adds an entry only if that changes nothing else.
func PlanInclude(root, directory string, stages []string) (Edit, error) {
	file := path.Join(directory, gitlabFile)
	e := Edit{root: root, Line: "include: [{local: " + file + "}]", mode: 0o644}
	found, err := e.find(gitlabFile)
	switch {
	case err != nil:
		return Edit{}, err
	case found == "":
		e.File, e.Create = gitlabFile, true
		e.data = []byte("# The jobs of each service are in the service's directory.\ninclude:\n  - local: " + file + "\n")
		return e, nil
	case !e.mode.IsRegular():
		e.Left = gitlabFile + " is not a regular file"
		return e, nil
	}
	was, err := decodeGitLab(e.was)
	if err != nil {
		e.Left = gitlabFile + " cannot be read"
		return e, nil //nolint:nilerr // users add the line to an invalid file themselves
	}
	if includes(was["include"], file) {
		return Edit{}, nil
	}
	if own, ok := was["stages"].([]any); ok && slices.ContainsFunc(stages, func(s string) bool { return !slices.Contains(own, any(s)) }) {
		e.Left = gitlabFile + " has its own stages, which must include " + strings.Join(stages, ", ")
		return e, nil
	}
	data, ok := withInclude(e.was, file)
	if ok {
		now, err := decodeGitLab(data)
		ok = err == nil && onlyAdded(was, now, file)
	}
	if !ok {
		e.Left = "the include of " + gitlabFile + " is not a list with one entry per line"
		return e, nil
	}
	e.File, e.data = gitlabFile, data
	return e, nil
}

func decodeGitLab(data []byte) (map[string]any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	var more any
	if dec.Decode(&more) == nil {
		return nil, fmt.Errorf("%s contains two documents", gitlabFile)
	}
	return m, nil
}

// includes reports whether the file is already included, in any form.
func includes(list any, file string) bool {
	switch entry := list.(type) {
	case string:
		pattern := strings.ReplaceAll(strings.TrimPrefix(entry, "/"), "**", "*")
		matched, err := path.Match(pattern, file)
		return err == nil && matched
	case map[string]any:
		return includes(entry["local"], file)
	case []any:
		return slices.ContainsFunc(entry, func(e any) bool { return includes(e, file) })
	}
	return false
}

// withInclude adds an entry after the last one, or a list at the end.
func withInclude(data []byte, file string) ([]byte, bool) {
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) != 1 {
		return nil, false
	}
	keys := doc.Content[0].Content
	for i := 0; i+1 < len(keys); i += 2 {
		if keys[i].Value == "include" {
			list := keys[i+1]
			if list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0 {
				return nil, false
			}
			return afterLine(data, list.Content[len(list.Content)-1].Line, strings.Repeat(" ", list.Column-1)+"- local: "+file), true
		}
	}
	return appendLine(appendLine(data, "include:"), "  - local: "+file), true
}

// afterLine inserts a line after the line with the number.
func afterLine(data []byte, number int, line string) []byte {
	lines := bytes.SplitAfter(data, []byte("\n"))
	head := bytes.Join(lines[:number], nil)
	return slices.Concat(appendLine(head, line), bytes.Join(lines[number:], nil))
}

// onlyAdded reports whether the entry is the only difference. This verifies that the new line
// in a user-owned file has the intended meaning.
func onlyAdded(was, now map[string]any, file string) bool {
	list, ok := now["include"].([]any)
	if !ok || len(list) == 0 {
		return false
	}
	before, _ := was["include"].([]any)
	last := len(list) - 1
	if !reflect.DeepEqual(list[last], map[string]any{"local": file}) || last != len(before) || last > 0 && !reflect.DeepEqual(list[:last], before) {
		return false
	}
	for key, value := range now {
		if key != "include" && !reflect.DeepEqual(value, was[key]) {
			return false
		}
	}
	_, had := was["include"]
	return had && len(was) == len(now) || !had && len(was)+1 == len(now)
}
