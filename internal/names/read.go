package names

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
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

// board is the part of Grafana's JSON that holds queries.
type board struct {
	Title  string  `json:"title"`
	Panels []panel `json:"panels"`
}

type panel struct {
	Title      string      `json:"title"`
	Datasource *datasource `json:"datasource"`
	Targets    []target    `json:"targets"`
	Panels     []panel     `json:"panels"` // of a collapsed row
}

type target struct {
	RefID      string      `json:"refId"`
	Expr       string      `json:"expr"`
	Datasource *datasource `json:"datasource"`
}

type datasource struct {
	Type string `json:"type"`
}

// Board reads the Prometheus queries of a board. Panels of other datasources
// are left out.
func Board(name string, src []byte) ([]Query, error) {
	var b board
	if err := json.Unmarshal(src, &b); err != nil {
		return nil, fmt.Errorf("%s: not the JSON of a Grafana board: %w", name, err)
	}
	return queriesOf(name, b.Panels), nil
}

func queriesOf(file string, panels []panel) []Query {
	var queries []Query
	for _, p := range panels {
		for _, t := range p.Targets {
			if t.Expr == "" || !isPrometheus(t.Datasource, p.Datasource) {
				continue
			}
			queries = append(queries, Query{File: file, At: fmt.Sprintf("panel %s, target %s", p.Title, t.RefID), Expr: t.Expr})
		}
		queries = append(queries, queriesOf(file, p.Panels)...)
	}
	return queries
}

// isPrometheus goes by the target's datasource, else by the panel's.
func isPrometheus(of ...*datasource) bool {
	for _, d := range of {
		if d != nil && d.Type != "" {
			return d.Type == "prometheus"
		}
	}
	return true
}
