package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates"
)

// OwnProblems are errors in user-owned rules and dashboards, because of which scaffold generate
// cannot deploy them.
type OwnProblems struct {
	// Unparsed are files that do not parse, which other checks report too.
	Unparsed []error
	// Clashes are names that two files share, and unusable file names.
	Clashes diagnostic.List
}

// Err returns all problems.
func (p *OwnProblems) Err() error {
	return errors.Join(errors.Join(p.Unparsed...), p.Clashes.Err())
}

// ownFiles reads the user-owned rules and dashboards of the service in dir. It skips the files
// that scaffold check skips (rule tests, other JSON, and rules of Loki), and those with problems.
func ownFiles(dir string) (own templates.Own, problems OwnProblems, err error) {
	groups := map[string]string{} // name to file
	err = eachOwn(dir, "observability/rules/own", []string{".yaml", ".yml"}, func(name string, src []byte) {
		found, err := ownGroups(inDirectory(dir, name), src, groups)
		problems.add(err)
		own.Groups = append(own.Groups, found...)
	})
	if err != nil {
		return templates.Own{}, OwnProblems{}, err
	}
	names := map[string]string{}
	err = eachOwn(dir, "observability/dashboards/own", []string{".json"}, func(file string, src []byte) {
		found, metrics, err := ownDashboard(inDirectory(dir, file), file, src, names)
		problems.add(err)
		own.Dashboards = append(own.Dashboards, found...)
		own.Metrics = append(own.Metrics, metrics...)
	})
	return own, problems, err
}

func inDirectory(dir, name string) string {
	return filepath.ToSlash(filepath.Join(dir, filepath.FromSlash(name)))
}

func (p *OwnProblems) add(err error) {
	if clash, ok := errors.AsType[diagnostic.Problem](err); ok {
		p.Clashes = append(p.Clashes, clash)
	} else if err != nil {
		p.Unparsed = append(p.Unparsed, err)
	}
}

// Limits of a ConfigMap: 253 characters, of which the name of the service and fixed parts take
// some, and 1 MiB.
const (
	maxOwnName   = 150
	maxConfigMap = 1 << 20
)

// ownDashboard returns the dashboard of a file and the series that it queries, none for other JSON. The names of
// ConfigMaps are unique; seen has those of other files.
func ownDashboard(at, file string, src []byte, seen map[string]string) (own []templates.OwnDashboard, series []string, err error) {
	parsed, err := dashboardfile.Parse(at, src)
	if _, other := errors.AsType[*dashboardfile.OtherJSONError](err); other {
		return nil, nil, nil
	}
	name := objectName(strings.TrimPrefix(strings.TrimSuffix(file, ".json"), "observability/dashboards/own/"))
	switch first := seen[name]; {
	case err != nil:
		return nil, nil, err
	case name == "" || strings.Contains(file, "="):
		return nil, nil, diagnostic.Problem{File: at, Message: "invalid file name for a ConfigMap; use a-z, 0-9 and -"}
	case len(name) > maxOwnName || len(src) > maxConfigMap:
		return nil, nil, diagnostic.Problem{File: at, Message: fmt.Sprintf("too large for a ConfigMap; use a name of at most %d characters and at most %d bytes", maxOwnName, maxConfigMap)}
	case first != "":
		return nil, nil, diagnostic.Problem{File: at, Message: "its ConfigMap would have the same name as that of " + first + "; rename one of the files"}
	}
	seen[name] = at
	return []templates.OwnDashboard{{Name: name, Path: strings.TrimPrefix(file, "observability/")}}, seriesOf(parsed), nil
}

// seriesOf returns the names of the series that a dashboard queries.
func seriesOf(b dashboardfile.Dashboard) []string {
	var out []string
	for _, target := range b.All() {
		tree, err := dashboardfile.ParsePromQL(target.Expr)
		if err != nil {
			continue // LogQL, or an error that scaffold check reports
		}
		parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok {
				out = append(out, v.Name)
			}
			return nil
		})
	}
	return out
}

// eachOwn calls read for each file below the directory with one of the endings, in order.
func eachOwn(dir, below string, endings []string, read func(name string, src []byte)) error {
	err := fs.WalkDir(os.DirFS(dir), below, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && monorepo.Skips(entry.Name()):
			return fs.SkipDir
		case !entry.Type().IsRegular() || !slices.Contains(endings, path.Ext(name)) || strings.HasPrefix(entry.Name(), ".") || rulefile.IsTest(name):
			return nil
		}
		src, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(name)), userfile.LargeLimit)
		if err != nil {
			return err
		}
		read(name, src)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// objectName returns the text as part of a Kubernetes name.
func objectName(text string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-")
}

// ownGroups returns the groups of a rule file as YAML, one list of each document. The names of
// groups are unique in a PrometheusRule; seen has those of other files.
func ownGroups(name string, src []byte, seen map[string]string) ([]string, error) {
	var out []string
	for _, doc := range rulefile.Documents(src) {
		file, err := rulefile.ParsePart(name, doc)
		if _, other := errors.AsType[*rulefile.OtherError](err); other {
			continue
		}
		if _, loki := file.LogQL(); loki {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, g := range file.Groups {
			if first := seen[g.Name]; first != "" {
				return nil, diagnostic.Problem{File: name, Line: g.Line, Message: fmt.Sprintf("the group %s is also in %s; rename one, since group names are unique in a PrometheusRule", g.Name, first)}
			}
			seen[g.Name] = name
		}
		text, err := groupsText(doc.Src)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(file.Groups) > 0 {
			out = append(out, text)
		}
	}
	return out, nil
}

// operatorGroup has the keys of a group that the Prometheus operator knows.
type operatorGroup struct {
	Name        string            `yaml:"name"`
	Interval    string            `yaml:"interval,omitempty"`
	QueryOffset string            `yaml:"query_offset,omitempty"`
	Limit       int               `yaml:"limit,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Rules       []operatorRule    `yaml:"rules"`
}

type operatorRule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// groupsText returns the groups of a rule file or of a PrometheusRule, without keys that only
// other programs know, such as Mimir.
func groupsText(src []byte) (string, error) {
	var file struct {
		Groups []operatorGroup `yaml:"groups"`
		Spec   struct {
			Groups []operatorGroup `yaml:"groups"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(src, &file); err != nil {
		return "", err
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	err := errors.Join(enc.Encode(append(file.Groups, file.Spec.Groups...)), enc.Close())
	return out.String(), err
}
