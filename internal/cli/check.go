package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/templates/spec"
)

// Check looks for one kind of fault in a generated service, without network.
type Check interface {
	// Name is a word for the kind, as in drift. It is public.
	Name() string
	// Run returns what it found. An error means that it had no way to look.
	Run(context.Context, Target) ([]Finding, error)
}

// Finding is one thing that a check found. The JSON names are public.
type Finding struct {
	Check   string `json:"check"`          // filled in by the command
	Rule    string `json:"rule,omitempty"` // of those in docs/checks.md
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Warning bool   `json:"warning"` // worth knowing, but no fault
}

func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Path)
	if f.Path != "" && f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	if f.Path != "" {
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	if f.Rule != "" {
		b.WriteString(" [" + f.Rule + "]")
	}
	return b.String()
}

func newCheckCommand(g *globals) *cobra.Command {
	var o serviceFlags
	var foreign foreignFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Find files that drifted, and rules and boards that cannot work; for pipelines",
		Long: "Compares the service with what generating it would write, and its rules and boards,\n" +
			"your own included, with the metrics that it declares and with the rules of\n" +
			"docs/checks.md. It needs no network and changes nothing. Exits with 3 when it finds\n" +
			"a fault.\n\n" +
			"With --rules and --boards it checks files of any origin instead, in any folder. What\n" +
			"they may name is declared by --signals, or read from a scraped page by --metrics; an\n" +
			"address given there is the one thing that check asks the network for.\n\n" +
			"With --all it checks every service of the repository, or below the folder that is named.",
		Example: "  scaffold check\n" +
			"  scaffold check --all\n" +
			"  scaffold check --rules rules --boards boards --signals observability/telemetry.json\n" +
			"  scaffold check --rules alerts.yaml --metrics http://localhost:9464/metrics",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.dir = args[0]
			}
			if err := foreign.validate(cmd, args); err != nil {
				return err
			}
			if all {
				return runCheckAll(cmd.Context(), g, o)
			}
			if foreign.given() {
				return runForeignCheck(cmd.Context(), g, foreign)
			}
			return runCheck(cmd.Context(), g, o)
		},
	}
	o.addFlags(cmd)
	foreign.addFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "check every service of the repository, and that none has a name of another")
	return cmd
}

// checked is the document of scaffold check. Its keys are public.
type checked struct {
	Service   string    `json:"service,omitempty"`   // empty for files of any origin
	Directory string    `json:"directory,omitempty"` // the same
	RuleFiles int       `json:"ruleFiles,omitempty"` // that --rules found
	Boards    int       `json:"boards,omitempty"`    // that --boards found
	Checks    []string  `json:"checks"`              // that ran, in order
	Faults    int       `json:"faults"`
	Findings  []Finding `json:"findings"`
}

func runCheck(ctx context.Context, g *globals, o serviceFlags) error {
	report, err := g.check(ctx, o)
	if err != nil {
		return err
	}
	g.printChecked(report)
	if report.Faults > 0 {
		return &DriftError{report.Faults}
	}
	return nil
}

// check runs every check on one service.
func (g *globals) check(ctx context.Context, o serviceFlags) (report checked, err error) {
	t, w, err := g.open(o)
	if err != nil {
		return checked{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	report = checked{Service: t.Service.Name, Directory: t.Dir, Findings: []Finding{}}
	for _, check := range slices.Concat([]Check{drift{}}, g.Checks) {
		found, err := check.Run(ctx, t)
		if err != nil {
			return checked{}, fmt.Errorf("check %s: %w", check.Name(), err)
		}
		report.add(check.Name(), found)
	}
	return report, nil
}

func (r *checked) add(check string, found []Finding) {
	r.Checks = append(r.Checks, check)
	for _, f := range found {
		f.Check = check
		r.Findings = append(r.Findings, f)
		if !f.Warning {
			r.Faults++
		}
	}
}

func (g *globals) printChecked(r checked) {
	if g.emit(r) {
		return
	}
	for _, f := range r.Findings {
		if f.Warning {
			g.printf("%s %s\n", g.paint(yellow, "warning"), f)
			continue
		}
		g.printf("%s   %s\n", g.paint(red, "fault"), f)
	}
	what := r.Service
	if what == "" {
		what = plural(r.RuleFiles, "rule file") + ", " + plural(r.Boards, "board")
	}
	if r.Faults > 0 {
		g.printf("%s: %s found\n", what, plural(r.Faults, "fault"))
		return
	}
	g.printf("%s: no faults\n", what)
}

// drift finds files that are not what generating would write.
type drift struct{}

func (drift) Name() string { return "drift" }

func (drift) Run(_ context.Context, t Target) ([]Finding, error) {
	var found []Finding
	for _, p := range t.CodeChanges {
		found = append(found, Finding{Path: spec.FileName, Line: p.Line, Column: p.Column, Message: p.Path + ": " + p.Message})
	}
	if len(found) > 0 {
		return found, nil // files that generating would not write have not drifted
	}
	for _, d := range t.Plan.Drift() {
		found = append(found, Finding{Path: d.Path, Message: d.Reason + "; run scaffold generate"})
	}
	if t.AtRoot == nil {
		return found, nil
	}
	for _, d := range t.AtRoot.Plan.Drift() {
		found = append(found, Finding{Path: t.fromService(d.Path), Message: d.Reason + "; run scaffold generate"})
	}
	return found, nil
}
