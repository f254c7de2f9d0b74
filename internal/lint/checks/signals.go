package checks

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// signalsCheck runs the service's telemetry command and compares its output with that of the last
// generation. A route or metric that was added since then is missing in rules and dashboards.
type signalsCheck struct{}

func (signalsCheck) Name() string { return "signals" }

// compilerMessage matches a message of the Go compiler with its place.
var compilerMessage = regexp.MustCompile(`^(?:\./)?(\S+\.go):(\d+):(\d+): (.+)$`)

// notRunnable returns a finding for each compiler message, or else one with the service's output.
func notRunnable(binary string, err error) []lint.Finding {
	var findings []lint.Finding
	var printed []string
	for line := range strings.Lines(err.Error()) {
		text := strings.TrimSpace(line)
		if text == "" {
			continue
		}
		if strings.HasPrefix(text, "goroutine ") { // the stack of a panic
			break
		}
		printed = append(printed, text)
		if m := compilerMessage.FindStringSubmatch(text); m != nil && m[4] != "too many errors" {
			f := lint.Finding{File: filepath.ToSlash(m[1]), Message: m[4]}
			f.Line, _ = strconv.Atoi(m[2])
			f.Column, _ = strconv.Atoi(m[3])
			findings = append(findings, f)
		} else if len(findings) > 0 && strings.HasPrefix(line, "\t") { // continuation of the message above
			findings[len(findings)-1].Message += " " + text
		}
	}
	if len(findings) == 0 {
		return []lint.Finding{{File: "cmd/" + binary, Message: strings.Join(printed, "; ")}}
	}
	return findings
}

func (signalsCheck) Run(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	if t.Ask == nil || len(t.CodeChanges) > 0 {
		return nil, nil
	}
	was, err := userfile.ReadOptional(filepath.Join(t.Dir, filepath.FromSlash(project.TelemetryPath)), userfile.LargeLimit)
	if err != nil || was == nil {
		return nil, err // Drift reports a missing file
	}
	now, err := t.Ask(ctx, project.TelemetryVerb)
	if err != nil {
		return notRunnable(t.Service.Binary(), err), nil // the error is the finding
	}
	before, errBefore := templates.ParseSignals(project.TelemetryPath, was)
	after, errAfter := templates.ParseSignals("the service's telemetry command", now)
	for _, err := range []error{errBefore, errAfter} {
		if err != nil {
			return []lint.Finding{{File: project.TelemetryPath, Message: err.Error()}}, nil //nolint:nilerr // the error is the finding
		}
	}
	var findings []lint.Finding
	if after.Service != t.Service.Name {
		findings = append(findings, lint.Finding{File: "cmd/" + t.Service.Binary() + "/main.go",
			Message: fmt.Sprintf("Name in runtime.Info is %q, but %s has the service %q; set Name, or dashboards find no series", after.Service, spec.FileName, t.Service.Name)})
	}
	for _, change := range changed(before, after) {
		findings = append(findings, lint.Finding{File: project.TelemetryPath, Message: change + "; run scaffold generate"})
	}
	document, err := userfile.ReadOptional(filepath.Join(t.Dir, filepath.FromSlash(documentPath)), userfile.LargeLimit)
	if err != nil || document == nil {
		return findings, err
	}
	return append(findings, compareDocument(document, after.Routes)...), nil
}

// changed describes each route and metric that was added, removed or changed.
func changed(before, after declared.Signals) []string {
	return append(changedRoutes(before, after), changedMetrics(before, after)...)
}

func changedRoutes(before, after declared.Signals) []string {
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

func changedMetrics(before, after declared.Signals) []string {
	var changes []string
	for _, m := range after.Metrics {
		if isPlatformMetric(m.Name) {
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
		if _, still := after.Find(m.Name); !still && !isPlatformMetric(m.Name) {
			changes = append(changes, fmt.Sprintf("metric %s was removed", m.Name))
		}
	}
	return changes
}

// isPlatformMetric reports whether a metric depends on the Go version, the operating system or the
// environment, not on the service.
func isPlatformMetric(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || name == semconv.TargetInfo
}
