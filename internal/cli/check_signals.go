package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/templates"
)

// signalsCheck runs the service's own commands and compares what they print
// with what was generated: a route or metric that was added since is in no rule
// and on no board.
type signalsCheck struct{}

func (signalsCheck) Name() string { return "signals" }

func (signalsCheck) Run(ctx context.Context, t Target) ([]lint.Finding, error) {
	if t.Ask == nil {
		return nil, nil
	}
	var findings []lint.Finding
	for _, f := range printedFiles() {
		was, err := userfile.Read(filepath.Join(t.Dir, filepath.FromSlash(f.path)), userfile.LargeLimit)
		if err != nil {
			continue // the check for drift tells of it
		}
		now, err := t.Ask(ctx, f.verb)
		if err != nil {
			return []lint.Finding{{File: "cmd/" + t.Service.Binary(), Message: err.Error()}}, nil //nolint:nilerr // a service that does not run is a finding
		}
		findings = append(findings, compare(f, was, now)...)
	}
	return findings, nil
}

func compare(f printedFile, was, now []byte) []lint.Finding {
	if f.path != telemetryPath {
		if bytes.Equal(was, now) {
			return nil
		}
		return []lint.Finding{{File: f.path, Message: "the API has changed since; run scaffold generate"}}
	}
	before, errBefore := templates.ParseSignals(f.path, was)
	after, errAfter := templates.ParseSignals("the service's telemetry command", now)
	for _, err := range []error{errBefore, errAfter} {
		if err != nil {
			return []lint.Finding{{File: f.path, Message: err.Error()}}
		}
	}
	var findings []lint.Finding
	for _, change := range append(changedRoutes(before, after), changedMetrics(before, after)...) {
		findings = append(findings, lint.Finding{File: f.path, Message: change + "; run scaffold generate"})
	}
	return findings
}

func changedRoutes(before, after templates.Signals) []string {
	var changes []string
	for _, r := range after.Routes {
		if !slices.Contains(before.Routes, r) {
			changes = append(changes, fmt.Sprintf("route %s was added", r))
		}
	}
	for _, r := range before.Routes {
		if !slices.Contains(after.Routes, r) {
			changes = append(changes, fmt.Sprintf("route %s was removed", r))
		}
	}
	return changes
}

func changedMetrics(before, after templates.Signals) []string {
	var changes []string
	for _, m := range after.Metrics {
		if foreign(m.Name) {
			continue
		}
		old, known := before.Find(m.Name)
		switch {
		case !known:
			changes = append(changes, fmt.Sprintf("metric %s was added", m.Name))
		case !reflect.DeepEqual(old, m):
			changes = append(changes, fmt.Sprintf("metric %s has changed", m.Name))
		}
	}
	for _, m := range before.Metrics {
		if _, still := after.Find(m.Name); !still && !foreign(m.Name) {
			changes = append(changes, fmt.Sprintf("metric %s was removed", m.Name))
		}
	}
	return changes
}

// foreign metrics differ with the Go version, the operating system or the
// environment that prints them, not with the service.
func foreign(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || name == semconv.TargetInfo
}
