package rulefile

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// OtherError is the error of YAML whose groups are not rule groups, such as the values of a chart.
type OtherError struct{ File, Message string }

func (e *OtherError) Error() string { return e.File + ": " + e.Message }

// other returns an [OtherError] for a document with other groups, else nil.
func other(name string, doc *yamldoc.Document) error {
	groups, found := value(doc.Root(), "groups")
	if !found {
		return nil // the mark of the document is in another place
	}
	entries := groups.Content
	if groups.Kind == yaml.MappingNode { // a list is missing
		entries = []*yaml.Node{groups}
	}
	switch {
	case slices.ContainsFunc(entries, ofGrafana):
		return &OtherError{name, "not a rule file but Grafana alert provisioning, which is not checked"}
	case slices.ContainsFunc(entries, hasRules), anyRule(groups), isEmpty(groups) && onlyGroups(doc.Root()):
		return nil
	}
	return &OtherError{name, `not a rule file: no entry of groups has the key "rules"; add it, or pass another file`}
}

// isEmpty reports whether a list has only groups without rules, as if their rules were commented out.
func isEmpty(list *yaml.Node) bool {
	isList := list.Tag == "!!null" || list.Kind == yaml.SequenceNode
	return isList && !slices.ContainsFunc(list.Content, func(entry *yaml.Node) bool { return !has(entry, "name") || len(keysOf(entry)) > 1 })
}

// onlyGroups reports whether a mapping has only keys of a rule file. Prometheus accepts one without
// rules.
func onlyGroups(root *yaml.Node) bool {
	return !slices.ContainsFunc(keysOf(root), func(key *yaml.Node) bool { return key.Value != "groups" && key.Value != "namespace" })
}

// ofGrafana reports whether a group is Grafana alert provisioning. Rules with expr are Prometheus rules
// in a group with a wrong key.
func ofGrafana(group *yaml.Node) bool {
	if !has(group, "orgId") && !has(group, "folder") {
		return false
	}
	rules, _ := value(group, "rules")
	return !slices.ContainsFunc(rules.Content, func(rule *yaml.Node) bool { return has(rule, "expr") })
}

// hasRules reports whether an entry has the key rules, a name and a misspelling of rules, or a merge
// key, which may add rules.
func hasRules(entry *yaml.Node) bool {
	named := has(entry, "name")
	return slices.ContainsFunc(keysOf(entry), func(key *yaml.Node) bool {
		// Lists of users have roles, which is similar to rules.
		misspelled := named && key.Value != "roles" && diagnostic.Suggest(key.Value, []string{"rules"}) != ""
		return key.Value == "rules" || key.Value == "<<" || misspelled
	})
}

// anyRule reports whether a node contains a rule at any level.
func anyRule(n *yaml.Node) bool {
	return has(n, "expr") && (has(n, "alert") || has(n, "record")) || slices.ContainsFunc(n.Content, anyRule)
}

func has(n *yaml.Node, key string) bool {
	_, found := value(n, key)
	return found
}

// value returns the value of a key of a mapping, or an empty node.
func value(n *yaml.Node, key string) (of *yaml.Node, found bool) {
	keys := keysOf(n)
	i := slices.IndexFunc(keys, func(k *yaml.Node) bool { return k.Value == key })
	if i < 0 {
		return &yaml.Node{}, false
	}
	return target(target(n).Content[2*i+1]), true
}

func keysOf(n *yaml.Node) []*yaml.Node {
	if n = target(n); n.Kind != yaml.MappingNode {
		return nil
	}
	var keys []*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i])
	}
	return keys
}

func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
