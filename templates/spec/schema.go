package spec

import (
	_ "embed" // for the schema
	"slices"
)

// schema is written by hand, for readable hints in editors. A test compares its keys, defaults,
// bounds and choices with those of this package.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the spec. [Parse] checks what a schema
// cannot express, such as reserved words.
func Schema() []byte { return slices.Clone(schema) }
