package cli

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/names"
	"github.com/observability-first/scaffold/templates"
)

// namesCheck wants every metric and label that rules and boards name, the
// user's own included, among the declared signals.
type namesCheck struct{}

func (namesCheck) Name() string { return "names" }

func (namesCheck) Run(_ context.Context, t Target) ([]Finding, error) {
	src, err := os.ReadFile(filepath.Join(t.Dir, filepath.FromSlash(telemetryPath)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the check for drift tells of it
	}
	if err != nil {
		return nil, err
	}
	signals, err := templates.ParseSignals(telemetryPath, src)
	if err != nil {
		return []Finding{{Path: telemetryPath, Message: err.Error()}}, nil //nolint:nilerr // what is wrong with a file is a finding
	}
	queries, recorded, findings := readQueries(t.Dir)
	target := append(slices.Collect(maps.Keys(t.Service.Telemetry.Selector)), t.Service.Telemetry.EnvironmentLabel)
	known := names.NewKnown(signals, recorded, target)
	for _, p := range known.Check(queries) {
		findings = append(findings, Finding{Path: p.File, Line: p.Line, Message: p.At + ": " + p.Message})
	}
	return findings, nil
}

// readQueries reads every rule file and board of the service. A file that is
// neither is a finding.
func readQueries(dir string) (queries []names.Query, recorded []names.Recorded, findings []Finding) {
	for _, file := range below(dir, "observability/rules", ".yaml", ".yml") {
		if strings.HasSuffix(file, ".test.yaml") {
			continue // tests of rules query what the rules record
		}
		src, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err == nil {
			var own []names.Query
			var records []names.Recorded
			own, records, err = names.Rules(file, src)
			queries, recorded = append(queries, own...), append(recorded, records...)
		}
		if err != nil {
			findings = append(findings, Finding{Path: file, Message: err.Error()})
		}
	}
	for _, file := range below(dir, "observability/boards", ".json") {
		src, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err == nil {
			var own []names.Query
			own, err = names.Board(file, src)
			queries = append(queries, own...)
		}
		if err != nil {
			findings = append(findings, Finding{Path: file, Message: err.Error()})
		}
	}
	return queries, recorded, findings
}

// below lists the files with one of the endings below dir/folder, relative to
// dir and sorted. A folder that is not there holds none.
func below(dir, folder string, endings ...string) []string {
	var files []string
	root := filepath.Join(dir, filepath.FromSlash(folder))
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains(endings, filepath.Ext(path)) {
			return nil //nolint:nilerr // what has no name here has nothing to check
		}
		if name, err := filepath.Rel(dir, path); err == nil {
			files = append(files, filepath.ToSlash(name))
		}
		return nil
	})
	slices.Sort(files)
	return files
}
