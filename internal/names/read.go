package names

import (
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/boardfile"
)

// grafanaVariable is $name, ${name}, ${name:format} or [[name]].
var grafanaVariable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*(:[^}]*)?\}|\$[A-Za-z_][A-Za-z0-9_]*|\[\[[A-Za-z_][A-Za-z0-9_]*(:[^\]]*)?\]\]`)

// Rules reads the queries of a rule file and what it records.
func Rules(name string, src []byte) (queries []Query, recorded []Recorded, err error) {
	groups, errs := rulefmt.Parse(src, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return nil, nil, fmt.Errorf("%s: %w", name, errs[0])
	}
	// The same document once more, for the lines.
	var file struct {
		Groups []struct {
			Rules []rulefmt.RuleNode `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(src, &file); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, group := range groups.Groups {
		for j, rule := range group.Rules {
			at := "alert " + rule.Alert
			if rule.Record != "" {
				at = "record " + rule.Record
				recorded = append(recorded, Recorded{rule.Record, rule.Expr, slices.Sorted(maps.Keys(rule.Labels))})
			}
			queries = append(queries, Query{File: name, Line: file.Groups[i].Rules[j].Expr.Line, At: at, Expr: rule.Expr})
		}
	}
	return queries, recorded, nil
}

// Board reads the Prometheus queries of a board, annotations included. Panels of
// other data sources are left out.
func Board(name string, src []byte) ([]Query, error) {
	board, err := boardfile.Parse(name, src)
	if err != nil {
		return nil, err
	}
	return BoardQueries(board), nil
}

// BoardQueries are the Prometheus queries of a board that was read.
func BoardQueries(b boardfile.Board) []Query {
	var queries []Query
	for p, t := range b.All() {
		if t.Expr != "" && t.Datasource.Prometheus() {
			queries = append(queries, Query{File: b.File, Line: t.Line, At: fmt.Sprintf("panel %s, target %s", p.Title, t.RefID), Expr: t.Expr})
		}
	}
	for _, a := range b.Annotations {
		if a.Expr != "" && a.Datasource.Prometheus() {
			queries = append(queries, Query{File: b.File, Line: a.Line, At: "annotation " + a.RefID, Expr: a.Expr})
		}
	}
	return queries
}
