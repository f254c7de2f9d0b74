package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/verify"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/component"
)

type verifyOptions struct {
	dir      string
	pkg      string
	slo      string
	junit    string
	markdown string
	snapshot string
	html     string
	env      []string
	only     []string
	maxCost  float64
	quick    bool
	progress bool
}

func newVerifyCommand(g *globals) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Run a service and check its dashboards, alerts and links",
		Long: "Build the service, run it on free local ports, with local servers that it needs, send\n" +
			"requests to every route, and check that: every query of a dashboard or rule returns\n" +
			"data; one request is found in all signals; links resolve; alerts fire and resolve when\n" +
			"predicted; an outage of a dependency is reported. The requests come from the OpenAPI\n" +
			"document of the service and from " + verify.RequestFile + ".\n\n" +
			"For a service that was not generated, set --package, and --slo to check alerts. Rules\n" +
			"that are not in its directory are compiled from the objectives.\n\n" +
			"--only runs the named sections and what they need. --quick runs a part of the alert\n" +
			"simulation: error ratios, low traffic and a healthy week, at the declared scrape\n" +
			"interval only. The report lists what was skipped.\n\n" +
			"Exit codes: 0 all checks passed; 3 a check failed; 1 no check could run, or the run was\n" +
			"interrupted. After an interrupt the report lists what was checked, and marks the rest\n" +
			"as not run. A second interrupt exits at once. verify connects to this machine only, and\n" +
			"removes its processes and files.",
		Example: "  scaffold verify\n  scaffold verify --quick\n  scaffold verify --only dashboards --only rules\n  scaffold verify --junit verify.xml --markdown verify.md\n  scaffold verify --html verify.html\n  scaffold verify --package ./cmd/shop --slo shop.slo.yaml ../shop",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.dir = args[0]
			}
			if err := o.validate(cmd); err != nil {
				return err
			}
			return runVerify(cmd.Context(), g, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.pkg, "package", "", "package of the binary, such as ./cmd/shop (default: the generated one)")
	flags.StringVar(&o.slo, "slo", "", "file of objectives of a service that was not generated, relative to this directory or to DIR")
	flags.StringVar(&o.junit, "junit", "", "file to write the report to as JUnit XML")
	flags.StringVar(&o.markdown, "markdown", "", "file to write the report to as Markdown, for a pull request")
	flags.StringVar(&o.html, "html", "", "file to write the report to as HTML, with the dashboards and a request in all signals")
	flags.StringVar(&o.snapshot, "snapshot", "", "file to write the results of dashboard queries to, for scaffold dashboards render")
	flags.StringArrayVar(&o.env, "env", nil, "environment variable for the service, as NAME=value; repeatable")
	flags.StringArrayVar(&o.only, "only", nil, "section to run: "+strings.Join(verify.Sections(), ", ")+"; repeatable (default: all)")
	offer(cmd, "only", verify.Sections())
	flags.BoolVar(&o.quick, "quick", false, "run a part of the alert simulation, for fast feedback")
	flags.BoolVar(&o.progress, "progress", false, "log progress to standard error, a line for each step")
	flags.Float64Var(&o.maxCost, "max-cost", 0, "samples per second that the rules of one objective may read (default: 200 for up to 180 counter series)")
	return cmd
}

// validate finds usage errors before the run, which takes a minute.
func (o verifyOptions) validate(cmd *cobra.Command) error {
	for _, v := range o.env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return usage(cmd, "--env %q: write NAME=value", v)
		}
	}
	for _, section := range o.only {
		if !slices.Contains(verify.Sections(), section) {
			return usage(cmd, "--only: there is no section %q; write one of %s%s", section, strings.Join(verify.Sections(), ", "), diagnostic.DidYouMean(section, verify.Sections()))
		}
	}
	limited := cmd.Flags().Changed("max-cost")
	if limited && !(o.maxCost > 0) || math.IsInf(o.maxCost, 1) { // false for NaN too
		return usage(cmd, "--max-cost: %g is not a positive number of samples per second; write one such as 200, or omit the flag", o.maxCost)
	}
	if limited && o.quick {
		return usage(cmd, "--max-cost has no effect with --quick, which does not measure the cost of rules; leave one of them out")
	}
	if o.slo != "" && o.pkg == "" {
		return usage(cmd, "--slo needs --package, which names the binary to run")
	}
	if o.snapshot != "" && len(o.only) > 0 && !slices.Contains(o.only, "dashboards") {
		return usage(cmd, "--snapshot needs the section dashboards; add --only dashboards")
	}
	for _, to := range []struct{ flag, file string }{{"--junit", o.junit}, {"--markdown", o.markdown}, {"--html", o.html}, {"--snapshot", o.snapshot}} {
		if err := writable(to.file); to.file != "" && err != nil {
			return usage(cmd, "%s %s: %w", to.flag, to.file, err)
		}
	}
	return nil
}

// FailedChecksError is returned after a report with failed checks was printed.
type FailedChecksError struct{ Failures int }

func (e *FailedChecksError) Error() string { return plural(e.Failures, "check") + " failed" }

func runVerify(ctx context.Context, g *globals, o verifyOptions) error {
	subject, err := o.subject()
	if err != nil {
		return err
	}
	if err := project.CheckModule(subject.Dir); err != nil {
		return err
	}
	// Simulations allocate many short-lived objects. The heap stays below the 430 MB that
	// linking the service takes.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800)
	}
	progress := &progress{g: g, lines: o.progress}
	if subject.Simulation != nil {
		subject.Simulation.MaxCost = o.maxCost
	}
	var snapshot *render.Snapshot
	options := verify.Options{Env: o.env, Only: o.only, Quick: o.quick, Progress: progress.show, Simulating: progress.simulating}
	if o.snapshot != "" {
		options.Snapshot = func(s render.Snapshot) { snapshot = &s }
	}
	var page report.Page
	if o.html != "" {
		options.Page = func(p report.Page) { page = p }
	}
	report, err := verify.Run(ctx, subject, options)
	progress.clear()
	if err != nil && !report.Interrupted {
		return err
	}
	shown := g.emit(report)
	if !shown {
		if err := report.WriteText(g.Streams.Out, g.paintStatus); err != nil {
			return err
		}
	}
	if err := o.write(context.WithoutCancel(ctx), g, report, snapshot, page); err != nil { // after an interrupt, too
		return err
	}
	if snapshot != nil && !shown {
		g.printf("Draw the dashboards with: scaffold dashboards render --snapshot %s\n", o.snapshot)
	}
	if o.html != "" && !shown {
		g.printf("Report with dashboards: %s\n", o.html)
	}
	if err != nil {
		return err // an interrupt
	}
	if n := report.Failures(); n > 0 {
		return &FailedChecksError{n}
	}
	return nil
}

// write writes the files that the flags name. A run that ended before the dashboards has no snapshot.
func (o verifyOptions) write(ctx context.Context, g *globals, r report.Report, snapshot *render.Snapshot, page report.Page) error {
	type form struct {
		file  string
		write func(io.Writer) error
	}
	forms := []form{{o.junit, r.WriteJUnit}, {o.markdown, r.WriteMarkdown}, {o.html, func(w io.Writer) error { return r.WriteHTML(w, page) }}}
	switch {
	case snapshot != nil:
		forms = append(forms, form{o.snapshot, snapshot.Write})
	case o.snapshot != "" && g.output != "json":
		g.warnf("%s is not written: the run ended before the dashboard queries\n", o.snapshot)
	}
	for _, form := range forms {
		if form.file == "" {
			continue
		}
		var data bytes.Buffer
		if err := errors.Join(form.write(&data), writeWhole(ctx, form.file, data.Bytes())); err != nil {
			return fmt.Errorf("write %s: %w", form.file, err)
		}
	}
	return nil
}

// writeWhole writes a file completely or not at all. A device or a pipe is written as it is.
func writeWhole(ctx context.Context, name string, data []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil { // it does not exist
		target = name
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(target, data, 0o666)
	}
	return writeDirectory(ctx, filepath.Dir(target), []slo.File{{Name: filepath.Base(target), Data: data}})
}

// subject returns the service to check.
func (o verifyOptions) subject() (verify.Subject, error) {
	if o.slo != "" || o.pkg != "" {
		return o.foreignSubject()
	}
	dir, err := project.FindService(o.dir)
	if err != nil {
		return verify.Subject{}, fmt.Errorf("%w\nfor a service that was not generated, set --package", err)
	}
	service, err := project.LoadSpec(dir, "")
	if err != nil {
		return verify.Subject{}, err
	}
	rules, err := slo.Compile(service.SLO())
	if err != nil {
		return verify.Subject{}, err
	}
	subject, err := verify.Load(dir, &rules, declaredRoutes(dir))
	subject.Package = "./cmd/" + service.Binary()
	subject.Doubles = []component.Double{} // none but those of its components
	for _, part := range service.Parts() {
		subject.Doubles = append(subject.Doubles, part.Doubles...)
	}
	return subject, err
}

// foreignSubject returns a service that uses the runtime but was not generated.
func (o verifyOptions) foreignSubject() (verify.Subject, error) {
	dir := o.dir
	if dir == "" {
		dir = "."
	}
	if _, err := os.Stat(dir); err != nil {
		return verify.Subject{}, err
	}
	if o.slo == "" {
		subject, err := verify.Load(dir, nil, nil)
		subject.Package = o.pkg
		return subject, err
	}
	rules, err := compileFile(o.slo, dir)
	if err != nil {
		return verify.Subject{}, err
	}
	subject, err := verify.Load(dir, &rules, declaredRoutes(dir))
	if err != nil {
		return verify.Subject{}, err
	}
	subject.Package = o.pkg
	return subject, subject.Complete(rules, declaredRoutes(dir))
}

// compileFile compiles objectives from a file whose name is relative to the working directory
// or to the directory of the service.
func compileFile(name, dir string) (slo.Rules, error) {
	src, err := userfile.Read(name, userfile.Limit)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name) {
		if below, belowErr := userfile.Read(filepath.Join(dir, name), userfile.Limit); belowErr == nil {
			src, err = below, nil
		}
	}
	if err != nil {
		return slo.Rules{}, err
	}
	spec, err := slo.Parse(filepath.ToSlash(name), src)
	if err != nil {
		return slo.Rules{}, err
	}
	return slo.Compile(spec)
}

// declaredRoutes returns the routes that the service printed last, for the simulated traffic.
func declaredRoutes(dir string) []string {
	src, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(project.TelemetryPath)), userfile.LargeLimit)
	if err != nil {
		return nil
	}
	signals, err := templates.ParseSignals(project.TelemetryPath, src)
	if err != nil {
		return nil
	}
	return signals.Routes
}

func (g *globals) paintStatus(s report.Status, text string) string {
	switch s {
	case report.Passed:
		return string(g.paint(green, text))
	case report.Skipped:
		return string(g.paint(yellow, text))
	}
	return string(g.paint(red, text))
}

// progress shows the state of a run: one line of a terminal that is overwritten, or lines of a
// log. Alerts are simulated in parallel with all other checks.
type progress struct {
	g     *globals
	lines bool

	mu               sync.Mutex
	step, simulation string
}

// show reports the current step of the running service.
func (p *progress) show(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = what
	p.print(what)
}

// simulating reports the start of an alert simulation.
func (p *progress) simulating(number, count int, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.simulation = fmt.Sprintf("simulating alerts %d of %d: %s", number, count, what)
	p.print(p.simulation)
}

func (p *progress) print(news string) {
	switch {
	case p.lines:
		p.g.warnf("  %s\n", news)
	case p.onTerminal():
		both := slices.DeleteFunc([]string{p.step, p.simulation}, func(s string) bool { return s == "" })
		_, _ = fmt.Fprintf(p.g.Streams.Err, "%s  %s …", clearLine, printable(shorten(strings.Join(both, "; "), lineWidth)))
	}
}

// lineWidth is the width of a narrow terminal. A longer line would wrap, and its first part
// would stay.
const lineWidth = 76

// clearLine returns to the start of the line and clears it.
const clearLine = "\r\x1b[K"

func shorten(text string, width int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), width)])
}

func (p *progress) clear() {
	if !p.lines && p.onTerminal() {
		_, _ = io.WriteString(p.g.Streams.Err, clearLine)
	}
}

func (p *progress) onTerminal() bool { return p.g.Streams.Terminal && p.g.output != "json" }
