package spec

import (
	_ "embed" // for the schema
	"slices"
)

// schema is written by hand, so that it reads well in an editor's hints. A test
// holds its keys, defaults, bounds and choices to those of this package.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the spec. What a schema
// cannot say, such as reserved words, is left to [Parse].
func Schema() []byte { return slices.Clone(schema) }
