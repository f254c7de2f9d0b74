package checks

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// routesCheck finds objectives on routes and methods that the service does not declare, which
// count no requests.
type routesCheck struct{}

func (routesCheck) Name() string { return "routes" }

func (routesCheck) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	declared, err := userfile.ReadOptional(filepath.Join(t.Dir, filepath.FromSlash(project.TelemetryPath)), userfile.LargeLimit)
	if err != nil || declared == nil {
		return nil, err // Drift reports it
	}
	signals, err := templates.ParseSignals(project.TelemetryPath, declared)
	if err != nil {
		return nil, nil //nolint:nilerr // namesCheck reports it
	}
	doc, err := readSpec(t.Dir)
	if err != nil {
		return nil, err
	}
	for i, o := range doc.objectives {
		checkRoute(doc.Document, fmt.Sprintf("slos[%d]", i), o, signals.Routes)
	}
	return lint.ParseFindings("", spec.FileName, doc.Err()), nil
}

// checkRoute compares an objective with declared routes such as "GET /v1/orders/{id}".
func checkRoute(doc *yamldoc.Document, path string, o slo.Objective, declared []string) {
	var routes, methods []string // methods of the objective's route
	for _, known := range declared {
		method, route, _ := strings.Cut(known, " ")
		routes = append(routes, route)
		if o.Route == "" || o.Route == route {
			methods = append(methods, method)
		}
	}
	switch {
	case o.Route != "" && !slices.Contains(routes, o.Route):
		doc.Problemf(path+".route", "the service has no route %q%s", o.Route, cmp.Or(diagnostic.DidYouMean(o.Route, routes), oneOf(routes)))
	case o.Method != "" && !slices.Contains(methods, o.Method):
		doc.Problemf(path+".method", "%s has no method %s%s", cmp.Or(o.Route, "the service"), o.Method, oneOf(methods))
	}
}

func oneOf(words []string) string {
	if len(words) == 0 {
		return "; it declares none"
	}
	return "; write one of " + strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ", ")
}
