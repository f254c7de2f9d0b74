package spec

import (
	"bytes"
	_ "embed" // for the schema
	"fmt"
	"io/fs"
	"strings"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
)

// schema is written by hand, for readable hints in editors. A test compares its keys, defaults,
// bounds and choices with those of this package. Those of a component are in its own schema.json, and the patterns in
// package patterns.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the spec. [Parse] checks what a schema
// cannot express, such as reserved words. It fails if a component has no schema.json.
func Schema() ([]byte, error) {
	var keys []string
	for _, c := range components.All() {
		text, err := fs.ReadFile(c.Parts(component.Service{}).Templates, "schema.json")
		if err != nil {
			return nil, fmt.Errorf("component %s: %w", c.Name, err)
		}
		const indent = "\n        "
		keys = append(keys, fmt.Sprintf("%s%q: %s", indent, c.Name, strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", indent)))
	}
	all := bytes.Replace(schema, []byte(`"enum": []`), []byte(`"enum": ["`+strings.Join(Patterns(), `", "`)+`"]`), 1)
	return bytes.Replace(all, []byte(`"properties": {}`), []byte(`"properties": {`+strings.Join(keys, ",")+"\n      }"), 1), nil
}
