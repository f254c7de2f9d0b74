// Package kustomization lists the values that a Kustomize overlay changes, each with the file
// and line that set it.
//
// It does not build the overlay. Checks of values need the line to report, and the package
// saves the twenty modules and 16 MB of the Kustomize library.
package kustomization

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// FileName is the file that makes a directory an overlay.
const FileName = "kustomization.yaml"

// Change is one value that an overlay sets.
type Change struct {
	Kind    string // of the object, such as Deployment; empty if the patch names none
	Target  string // name of the object, a regular expression; empty if the patch selects none
	Pointer string // to the value, such as /spec/minReplicas (RFC 6901); list entries by position
	Value   string // as written; empty for a removed value
	File    string // relative to the overlay
	Line    int    // in the file, from 1
	Column  int    // in the line, from 1, in bytes
}

// overlayFile has the fields of a kustomization that set values.
type overlayFile struct {
	Namespace yaml.Node `yaml:"namespace"`
	Replicas  []struct {
		Name  string    `yaml:"name"`
		Count yaml.Node `yaml:"count"`
	} `yaml:"replicas"`
	ConfigMaps []configMap `yaml:"configMapGenerator"`
	Patches    []struct {
		Path   string    `yaml:"path"`
		Patch  yaml.Node `yaml:"patch"`
		Target struct {
			Kind string `yaml:"kind"`
			Name string `yaml:"name"`
		} `yaml:"target"`
	} `yaml:"patches"`
}

// Changes returns the values that the overlay in the directory sets, in the order in which they
// are applied: by patches, inline or in other files, and by the fields replicas, namespace and
// configMapGenerator. The pointers of the fields are /replicas/NAME, /namespace and
// /configMapGenerator; the last has the name of a ConfigMap of environment variables as value,
// and [Variables] returns these. Errors for missing files and invalid YAML have the file and
// line.
func Changes(overlay fs.FS) ([]Change, error) {
	k, src, err := load(overlay)
	if err != nil {
		return nil, err
	}
	changes := k.fields()
	var errs []error
	for _, p := range k.Patches {
		file, text := FileName, []byte(p.Patch.Value)
		first, indent := origin(string(src), p.Patch)
		if p.Path != "" {
			file, first, indent = path.Clean(p.Path), 0, 0
			if text, err = userfile.ReadFS(overlay, file, userfile.Limit); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		found, err := patch(text, p.Target.Kind)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: a patch that begins in line %d: %w", file, first+1, err))
		}
		for _, c := range found {
			c.File, c.Line, c.Column, c.Target = file, c.Line+first, c.Column+indent, p.Target.Name
			changes = append(changes, c)
		}
	}
	return changes, errors.Join(errs...)
}

func load(overlay fs.FS) (k overlayFile, src []byte, err error) {
	src, err = userfile.ReadFS(overlay, FileName, userfile.Limit)
	if err != nil {
		return k, nil, err
	}
	if err := yamldoc.Bounded(src); err != nil {
		return k, nil, fmt.Errorf("%s: %w", FileName, err)
	}
	err = yaml.Unmarshal(src, &k)
	if err != nil && !userfile.Marked(src, "resources:", "patches:", "replicas:", "kind: Kustomization", "apiVersion: kustomize") {
		return k, nil, fmt.Errorf("%s: not a kustomization; write one, or remove the file", FileName)
	}
	if err != nil {
		return k, nil, fmt.Errorf("%s: %w", FileName, err)
	}
	return k, src, nil
}

// fields returns the changes by fields other than patches.
func (k overlayFile) fields() []Change {
	var changes []Change
	if k.Namespace.Value != "" {
		changes = append(changes, Change{Pointer: "/namespace", Value: k.Namespace.Value, File: FileName, Line: k.Namespace.Line, Column: k.Namespace.Column})
	}
	for _, r := range k.Replicas {
		changes = append(changes, Change{
			Kind: "Deployment", Pointer: "/replicas/" + r.Name, Value: r.Count.Value, File: FileName, Line: r.Count.Line, Column: r.Count.Column,
		})
	}
	for _, m := range k.ConfigMaps {
		if m.setsVariables() {
			changes = append(changes, Change{
				Kind: "ConfigMap", Pointer: "/configMapGenerator", Value: m.Name.Value, File: FileName, Line: m.Name.Line, Column: m.Name.Column,
			})
		}
	}
	return changes
}

// origin returns the offset from a line and column of a patch to those of the file that
// contains it.
func origin(src string, text yaml.Node) (lines, columns int) {
	switch {
	case text.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		inFile := strings.Join(strings.Split(src, "\n")[text.Line:], "\n")
		return text.Line, indentation(inFile) - indentation(text.Value)
	case text.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return text.Line - 1, text.Column // after the quote
	}
	return text.Line - 1, text.Column - 1
}

// indentation returns the indentation of the first nonempty line.
func indentation(text string) int {
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimLeft(line, " "); strings.TrimSpace(trimmed) != "" {
			return len(line) - len(trimmed)
		}
	}
	return 0
}

// patch parses either form: a list of operations (RFC 6902), or partial objects to merge.
func patch(text []byte, kind string) ([]Change, error) {
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var changes []Change
	for {
		var document yaml.Node
		switch err := dec.Decode(&document); {
		case errors.Is(err, io.EOF):
			return changes, nil
		case err != nil:
			return changes, err
		case len(document.Content) == 0:
			continue
		}
		root := document.Content[0]
		if root.Kind == yaml.SequenceNode {
			found, err := operations(root, kind)
			if err != nil {
				return changes, err
			}
			changes = append(changes, found...)
			continue
		}
		of := kind
		if own := child(root, "kind"); own != nil {
			of = own.Value
		}
		changes = append(changes, leaves(root, of, "")...)
	}
}

func operations(list *yaml.Node, kind string) ([]Change, error) {
	var changes []Change
	for _, operation := range list.Content {
		op, at, value := child(operation, "op"), child(operation, "path"), child(operation, "value")
		switch {
		case op == nil || at == nil:
			return changes, fmt.Errorf("line %d: an operation needs op and path", operation.Line)
		case op.Value == "remove":
			changes = append(changes, Change{Kind: kind, Pointer: at.Value, Line: at.Line, Column: at.Column})
		case !slices.Contains([]string{"add", "replace"}, op.Value):
		case value == nil:
			return changes, fmt.Errorf("line %d: %s needs a value", operation.Line, op.Value)
		default:
			changes = append(changes, leaves(value, kind, at.Value)...)
		}
	}
	return changes, nil
}

// leaves returns the scalars below a node.
func leaves(n *yaml.Node, kind, pointer string) []Change {
	var changes []Change
	switch n.Kind {
	case yaml.ScalarNode:
		return []Change{{Kind: kind, Pointer: pointer, Value: n.Value, Line: n.Line, Column: n.Column}}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			changes = append(changes, leaves(item, kind, pointer+"/"+strconv.Itoa(i))...)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := strings.NewReplacer("~", "~0", "/", "~1").Replace(n.Content[i].Value)
			changes = append(changes, leaves(n.Content[i+1], kind, pointer+"/"+key)...)
		}
	}
	return changes
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
