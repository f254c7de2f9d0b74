package slo

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// source is a file, with the positions of the values of the specification.
type source struct {
	file   string
	lines  []string
	places map[string]place // by path of the specification
}

// place is the position and the path in the file of a value of the specification.
type place struct {
	node *yaml.Node
	path string
}

func newSource(file string, src []byte) source {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(src))
	return source{file: file, lines: strings.Split(text, "\n"), places: map[string]place{}}
}

// ofNode returns a problem at a node.
func (s source) ofNode(n *yaml.Node, path, message string) diagnostic.Problem {
	p := diagnostic.Problem{File: s.file, Line: n.Line, Column: n.Column, Path: path, Message: message}
	if n.Line >= 1 && n.Line <= len(s.lines) {
		p.Source = s.lines[n.Line-1]
	}
	return p
}

// ofPath returns a problem at a path of the specification, or at the nearest parent with a
// position.
func (s source) ofPath(path, message string) diagnostic.Problem {
	for at := path; at != ""; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if p, ok := s.places[at]; ok {
			return s.ofNode(p.node, p.path, message)
		}
	}
	return diagnostic.Problem{File: s.file, Path: path, Message: message}
}
