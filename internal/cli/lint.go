package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/slo"
)

type lintOptions struct {
	rules, dashboards []string
	signals           string
	metrics           []string
	prometheus        string
	scrape            string
	scrapeInterval    time.Duration // scrape, parsed
	target            []string
	severity          string
	baseline          string
	updateBaseline    bool
}

// defaultScrape is the assumed scrape interval, which generated services have. A longer
// interval finds more.
const defaultScrape = "15s"

func newLintCommand(g *globals) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check rule files and dashboards of any origin",
		Long: "Check Prometheus rule files, PrometheusRule resources and Grafana dashboards by\n" +
			"the rules of docs/checks.md. No service is needed. A directory is searched for all of\n" +
			"them.\n\n" +
			"Names of metrics and labels are checked when something declares them:\n" +
			"telemetry.json (--signals), output of /metrics (--metrics) or a running Prometheus\n" +
			"(--prometheus); lint connects to no other address.\n\n" +
			"Findings that depend on a guessed type, unit or name are warnings. Exclusions are in\n" +
			lint.FileName + ".\n\n" +
			"Exit codes: 0 no errors; 3 errors found; 1 the check did not run, for example because\n" +
			"a file does not exist.",
		Example: "  scaffold lint alerts.yaml dashboards\n" +
			"  scaffold lint alerts.yaml --metrics http://localhost:9464/metrics\n" +
			"  scaffold lint . --prometheus http://localhost:9090\n" +
			"  scaffold lint . --baseline lint.json --severity error",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.add(args)
			if err := o.validate(cmd); err != nil {
				return err
			}
			return runLint(cmd.Context(), g, o, cmd.Flags().Changed("scrape-interval"), cmd.Flags().Changed("target-labels"))
		},
		Annotations: map[string]string{findingsAnnotation: "yes"},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.rules, "rules", nil, "rule file, or directory searched for rule files only; repeatable")
	flags.StringArrayVar(&o.dashboards, "dashboards", nil, "dashboard, or directory searched for dashboards only; repeatable")
	flags.StringVar(&o.signals, "signals", "", "telemetry.json that declares the metrics")
	flags.StringArrayVar(&o.metrics, "metrics", nil, "output of /metrics, a file or a URL; repeatable")
	flags.StringVar(&o.prometheus, "prometheus", "", "URL of a Prometheus that has the metrics")
	flags.StringVar(&o.scrape, "scrape-interval", defaultScrape, "time between scrapes")
	flags.StringSliceVar(&o.target, "target-labels", nil, "labels that the scrape adds, besides job and instance")
	flags.StringVar(&o.severity, "severity", severityWarning, "lowest severity to show: error or warning")
	flags.StringVar(&o.baseline, "baseline", "", "file of known findings, which are not reported again")
	flags.BoolVar(&o.updateBaseline, "update-baseline", false, "write all findings to the baseline, and exit with 0")
	offer(cmd, "severity", severities())
	return cmd
}

const (
	severityError   = "error"
	severityWarning = "warning"
)

func severities() []string { return []string{severityError, severityWarning} }

// add sorts paths: JSON files are dashboards, other files are rules, and directories are
// searched for both.
func (o *lintOptions) add(paths []string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		isDir := err == nil && info.IsDir()
		isJSON := filepath.Ext(path) == ".json"
		if isDir || !isJSON {
			o.rules = append(o.rules, path)
		}
		if isDir || isJSON {
			o.dashboards = append(o.dashboards, path)
		}
	}
}

// validate rejects incompatible flags and parses the others.
func (o *lintOptions) validate(cmd *cobra.Command) error {
	switch {
	case len(o.rules) == 0 && len(o.dashboards) == 0:
		return usage(cmd, "nothing to check; pass rule files, dashboards or directories, such as scaffold lint .")
	case slices.Contains(slices.Concat(o.rules, o.dashboards, o.metrics), ""):
		return usage(cmd, "a file name is empty; write a name or remove the argument")
	case !slices.Contains(severities(), o.severity):
		return usage(cmd, "--severity: %q is not known; write error or warning", o.severity)
	case o.updateBaseline && o.baseline == "":
		return usage(cmd, "--update-baseline needs --baseline, the file to write")
	}
	scrape, err := model.ParseDuration(o.scrape)
	if err != nil || scrape <= 0 {
		return usage(cmd, "--scrape-interval: %q is not a duration; write one such as 15s or 1m", o.scrape)
	}
	o.scrapeInterval = time.Duration(scrape)
	for _, label := range o.target {
		if !model.LegacyValidation.IsValidLabelName(label) {
			return usage(cmd, "--target-labels: %q is not a label name; write them as cluster,namespace", label)
		}
	}
	return nil
}

// linted is the JSON document of scaffold lint. Its keys are public.
type linted struct {
	RuleFiles  int `json:"ruleFiles"`
	Dashboards int `json:"dashboards"`
	// Skipped has the JSON files of a directory that are not dashboards.
	Skipped       []string `json:"skipped,omitempty"`
	HelmTemplates []string `json:"helmTemplates,omitempty"`
	// TargetLabels has the labels that no metric has. They are assumed to be target labels,
	// since --target-labels does not list them.
	TargetLabels []string       `json:"targetLabels,omitempty"`
	Errors       int            `json:"errors"`
	Warnings     int            `json:"warnings"`
	Baseline     int            `json:"baseline,omitempty"` // findings that are in the baseline
	Stale        int            `json:"stale,omitempty"`    // entries of the baseline without a finding
	Findings     []lint.Finding `json:"findings"`
}

// untilDone returns the result of compute, or the cause of ctx as soon as ctx is done. The
// computation then continues until the process exits.
func untilDone[T any](ctx context.Context, compute func() T) (T, error) {
	computed := make(chan T, 1)
	go func() { computed <- compute() }()
	select {
	case result := <-computed:
		return result, nil
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

func runLint(ctx context.Context, g *globals, o lintOptions, scrapeKnown, targetKnown bool) error {
	in := checks.LintInput{
		TargetLabels: o.target, TargetGuessed: !targetKnown, Scrape: o.scrapeInterval, ScrapeGuessed: !scrapeKnown, LabelsOfPages: len(o.metrics) > 0,
		// Without other sources, telemetry.json is complete.
		OnlyDeclaredMetrics: o.signals != "" && len(o.metrics) == 0 && o.prometheus == "",
	}
	if err := g.readSignals(ctx, o, &in); err != nil {
		return err
	}
	report := linted{Findings: []lint.Finding{}}
	var err error
	if report.Skipped, err = in.Read(ctx, o.rules, o.dashboards); err != nil {
		return err
	}
	names := map[string]bool{} // a file may have several resources
	for _, f := range in.Rules {
		names[f.Name] = true
	}
	report.Skipped = slices.DeleteFunc(report.Skipped, func(file string) bool { return isFile(file, o.baseline) || isFile(file, o.signals) })
	report.HelmTemplates = in.HelmTemplates
	report.RuleFiles, report.Dashboards = len(names), len(in.Dashboards)
	in.AllRules = report.RuleFiles > 0
	report.TargetLabels = in.GuessTarget()
	found, err := untilDone(ctx, in.Findings)
	if err != nil {
		return err
	}
	if o.updateBaseline {
		return g.writeBaseline(ctx, o.baseline, found, in.HasRead)
	}
	if o.baseline != "" {
		known, err := readBaseline(o.baseline)
		if err != nil {
			return err
		}
		found, report.Baseline, report.Stale = known.Remove(found, in.HasChecked)
	}
	if o.severity == severityError {
		found = slices.DeleteFunc(found, func(f lint.Finding) bool { return f.Warning })
	}
	report.Findings = append(report.Findings, found...)
	report.Errors = lint.CountErrors(found)
	report.Warnings = len(found) - report.Errors
	g.printLinted(report)
	if report.Errors > 0 {
		return &FindingsError{report.Errors}
	}
	return nil
}

// isFile reports whether two names are the same file.
func isFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func (g *globals) printLinted(r linted) {
	if g.emit(r) || g.emitFindings(r.Findings) {
		return
	}
	g.printFindings(r.Findings)
	if len(r.TargetLabels) > 0 {
		g.printf("assumed target labels: %s (set --target-labels to check labels)\n", strings.ReplaceAll(strings.Join(r.TargetLabels, ", "), "\n", `\n`))
	}
	if len(r.Skipped) > 0 {
		g.printf("skipped: %s without a dashboard\n", plural(len(r.Skipped), "JSON file"))
	}
	if len(r.HelmTemplates) > 0 {
		g.printf("skipped: %s; %s\n", plural(len(r.HelmTemplates), "Helm template"), checks.RenderHelm)
	}
	if r.Baseline > 0 {
		g.printf("in the baseline: %s\n", plural(r.Baseline, "finding"))
	}
	if r.Stale > 0 {
		g.printf("baseline: %s no longer found; run with --update-baseline to remove them\n", plural(r.Stale, "entry"))
	}
	what := plural(r.RuleFiles, "rule file") + ", " + plural(r.Dashboards, "dashboard")
	if r.Errors == 0 {
		g.printf("%s: no errors%s\n", what, andWarnings(r.Warnings))
		return
	}
	g.printf("%s: %s%s found\n", what, plural(r.Errors, "error"), andWarnings(r.Warnings))
}

func andWarnings(n int) string {
	if n == 0 {
		return ""
	}
	return ", " + plural(n, "warning")
}

func readBaseline(name string) (lint.Baseline, error) {
	src, err := userfile.Read(name, userfile.LargeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return lint.Baseline{}, fmt.Errorf("%w; create it with --update-baseline", err)
	}
	if err != nil {
		return lint.Baseline{}, err
	}
	return lint.ParseBaseline(name, src)
}

// writeBaseline replaces the baseline. It keeps entries of other files that still exist.
func (g *globals) writeBaseline(ctx context.Context, name string, found []lint.Finding, read func(file string) bool) error {
	b := lint.NewBaseline(found)
	switch old, err := readBaseline(name); {
	case err == nil:
		b.Keep(old, func(file string) bool {
			_, err := os.Stat(file)
			return err == nil && !read(file)
		})
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	file := name
	if err := userfile.Regular(name); err == nil {
		if file, err = filepath.EvalSymlinks(name); err != nil { // keep a symbolic link
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeDirectory(ctx, filepath.Dir(file), []slo.File{{Name: filepath.Base(file), Data: b.JSON()}}); err != nil {
		return err
	}
	if !g.emit(struct {
		Baseline string `json:"baseline"`
		Findings int    `json:"findings"`
	}{name, len(found)}) {
		g.printf("%s: %s written\n", name, plural(len(found), "finding"))
	}
	return nil
}
