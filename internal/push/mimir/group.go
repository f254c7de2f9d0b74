package mimir

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/promql"
)

// Group is a rule group in a namespace.
type Group struct {
	Namespace, Name string
	Rules           int // number of rules

	body *yaml.Node // without aliases and comments
}

// YAML returns the group in the format of Mimir's API, without the namespace.
func (g Group) YAML() ([]byte, error) { return yaml.Marshal(g.body) }

// Equal reports whether both groups have the same meaning. It ignores the notation of durations and
// queries, and empty values.
func (g Group) Equal(other Group) bool {
	return reflect.DeepEqual(meaning(g.body), meaning(other.body))
}

// Read returns the groups of a rule file. They are in the namespace of the file, or else in the given
// one.
func Read(src []byte, namespace string) ([]Group, error) {
	root, err := document(src)
	if err != nil || root == nil {
		return nil, err
	}
	if named := at(root, "namespace"); named != nil && named.Value != "" {
		namespace = named.Value
	}
	list := at(root, "groups")
	if resource := at(root, "spec"); list == nil && resource != nil {
		list = at(resource, "groups") // of a PrometheusRule
	}
	if list == nil {
		return nil, nil
	}
	return groups(list, namespace)
}

// parseNamespaces parses a response of the ruler: groups by namespace.
func parseNamespaces(src []byte) (map[string][]Group, error) {
	root, err := document(src)
	if err != nil {
		return nil, err
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, errors.New("not YAML with namespaces")
	}
	all := map[string][]Group{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name := root.Content[i].Value
		if all[name], err = groups(root.Content[i+1], name); err != nil {
			return nil, fmt.Errorf("namespace %q: %w", name, err)
		}
	}
	return all, nil
}

func groups(list *yaml.Node, namespace string) ([]Group, error) {
	if list.Kind != yaml.SequenceNode {
		return nil, errors.New("groups are not a list")
	}
	var all []Group
	for _, body := range list.Content {
		name, rules := at(body, "name"), at(body, "rules")
		if name == nil || name.Value == "" {
			return nil, errors.New("a group without a name")
		}
		g := Group{Namespace: namespace, Name: name.Value, body: body}
		if rules != nil {
			g.Rules = len(rules.Content)
		}
		all = append(all, g)
	}
	return all, nil
}

// document parses YAML and replaces aliases by their values, so that groups are independent. It
// returns nil for an empty document.
func document(src []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if len(doc.Content) == 0 {
		return nil, nil //nolint:nilnil // an empty file has no groups
	}
	left := maxNodes
	return withoutAliases(doc.Content[0], &left, maxDepth)
}

// Limits of a document: about forty thousand rules. Rules have six levels; the indentation of much
// deeper values is quadratic.
const (
	maxNodes = 1 << 20
	maxDepth = 50
)

func withoutAliases(n *yaml.Node, left *int, depth int) (*yaml.Node, error) {
	if depth == 0 {
		return nil, fmt.Errorf("more than %d levels deep; write the rules without aliases", maxDepth)
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if *left--; *left < 0 {
		return nil, fmt.Errorf("more than %d values including aliases; split the file", maxNodes)
	}
	own := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value}
	for _, child := range n.Content {
		c, err := withoutAliases(child, left, depth-1)
		if err != nil {
			return nil, err
		}
		own.Content = append(own.Content, c)
	}
	return own, nil
}

// at returns the value of a key, or nil.
func at(n *yaml.Node, key string) *yaml.Node {
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

// meaning returns a comparable form of a group.
func meaning(group *yaml.Node) map[string]any {
	all := keys(group, "interval", "query_offset", "evaluation_delay")
	// For Mimir, an offset of zero and none are the same.
	dropZero(all, "interval", "query_offset", "evaluation_delay")
	rules := at(group, "rules")
	if rules == nil {
		return all
	}
	list := make([]any, len(rules.Content))
	for i, rule := range rules.Content {
		list[i] = ruleMeaning(rule)
	}
	all["rules"] = list
	return all
}

func ruleMeaning(rule *yaml.Node) map[string]any {
	all := keys(rule, "for", "keep_firing_for")
	dropZero(all, "for", "keep_firing_for")
	if expr, ok := all["expr"].(string); ok {
		all["expr"] = queryMeaning(expr)
	}
	return all
}

// dropZero removes durations of zero.
func dropZero(all map[string]any, durations ...string) {
	for _, key := range durations {
		if all[key] == model.Duration(0) {
			delete(all, key)
		}
	}
}

// keys returns a mapping with parsed durations and without empty values.
func keys(n *yaml.Node, durations ...string) map[string]any {
	all := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		all[key] = plain(value)
		if d, err := model.ParseDuration(value.Value); err == nil && slices.Contains(durations, key) {
			all[key] = d
		}
	}
	maps.DeleteFunc(all, func(_ string, v any) bool {
		return slices.Contains([]string{"", "0", "false", "map[]", "[]"}, fmt.Sprint(v))
	})
	return all
}

// plain returns a value with scalars as text, since labels and annotations are text.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		all := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			all[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return all
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, child := range n.Content {
			list[i] = plain(child)
		}
		return list
	}
	if n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// queryMeaning returns a query in Prometheus's format, or unchanged if it does not parse.
func queryMeaning(expr string) string {
	tree, err := promql.Parse(expr)
	if err != nil {
		return strings.TrimSpace(expr)
	}
	return tree.String()
}
