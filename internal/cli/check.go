package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/templates/spec"
)

func newCheckCommand(g *globals) *cobra.Command {
	var o project.Options
	var all bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check generated files, rules and dashboards",
		Long: "Check that generated files are current, and compare the service's rules and\n" +
			"dashboards, your own included, with the metrics that it declares and with the rules\n" +
			"of docs/checks.md. No network is needed, and nothing is changed.\n\n" +
			"--all checks every service in the repository, or below DIR. To check files outside of\n" +
			"a service, use scaffold lint.\n\n" +
			"Exit codes: 0 no errors; 3 errors found; 1 a check did not run, for example because\n" +
			"scaffold.yaml is invalid.",
		Example: "  scaffold check\n  scaffold check --all",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Dir = args[0]
			}
			if all {
				return runCheckAll(cmd.Context(), g, o)
			}
			return runCheck(cmd.Context(), g, o)
		},
		Annotations: map[string]string{findingsAnnotation: "yes"},
	}
	addServiceFlags(cmd, &o)
	cmd.Flags().BoolVar(&all, "all", false, "check all services in the repository, and that their names are unique")
	return cmd
}

// checked is the JSON document of scaffold check. Its keys are public.
type checked struct {
	Service   string         `json:"service"`
	Directory string         `json:"directory"`
	Checks    []string       `json:"checks"` // checks that ran, in order
	Errors    int            `json:"errors"`
	Findings  []lint.Finding `json:"findings"`
}

func runCheck(ctx context.Context, g *globals, o project.Options) error {
	report, err := g.check(ctx, o)
	if err != nil {
		return err
	}
	if !g.emit(report) && !g.emitFindings(inDirectory(report)) {
		g.printChecked(report, report.Findings)
	}
	if report.Errors > 0 {
		return &FindingsError{report.Errors}
	}
	return nil
}

// inDirectory returns the findings of a service, with its directory before each file.
func inDirectory(r checked) []lint.Finding {
	out := slices.Clone(r.Findings)
	for i := range out {
		out[i].File = filepath.ToSlash(filepath.Join(r.Directory, out[i].File))
	}
	return out
}

func (g *globals) check(ctx context.Context, o project.Options) (report checked, err error) {
	o.Unresolved = true
	t, w, err := g.Open(o)
	if err != nil {
		return checked{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	report = checked{Service: t.Service.Name, Directory: t.Dir, Findings: []lint.Finding{}}
	for _, check := range slices.Concat([]checks.Check{checks.Drift{}}, g.Checks) {
		found, err := check.Run(ctx, t)
		if ctx.Err() != nil {
			return checked{}, context.Cause(ctx) // the findings may be caused by the interrupt
		}
		if err != nil {
			return checked{}, fmt.Errorf("check %s: %w", check.Name(), err)
		}
		report.add(check.Name(), found)
	}
	report.withoutOutdated()
	return report, nil
}

// withoutOutdated removes findings about outdated files while the spec has errors: generating
// now would copy the errors into the files.
func (r *checked) withoutOutdated() {
	drift := checks.Drift{}.Name()
	inSpec := func(f lint.Finding) bool { return f.File == spec.FileName && !f.Warning && f.Check != drift }
	if !slices.ContainsFunc(r.Findings, inSpec) {
		return
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f lint.Finding) bool { return f.Check == drift && f.File != spec.FileName })
	r.Errors = lint.CountErrors(r.Findings)
}

func (r *checked) add(check string, found []lint.Finding) {
	r.Checks = append(r.Checks, check)
	r.Findings = append(r.Findings, lint.WithCheck(check, found)...)
	r.Errors += lint.CountErrors(found)
}

func (g *globals) printChecked(r checked, found []lint.Finding) {
	g.printFindings(found)
	if r.Errors > 0 {
		g.printf("%s: %s found\n", r.Service, plural(r.Errors, "error"))
		return
	}
	g.printf("%s: no errors\n", r.Service)
}
