package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
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
	Check   string `json:"check"` // filled in by the command
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
	Warning bool   `json:"warning"` // worth knowing, but no fault
}

func (f Finding) String() string {
	place := ""
	switch {
	case f.Line > 0:
		place = fmt.Sprintf("%s:%d: ", f.Path, f.Line)
	case f.Path != "":
		place = f.Path + ": "
	}
	return place + f.Message
}

func newCheckCommand(g *globals) *cobra.Command {
	var o serviceFlags
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Find generated files that drifted; for pipelines",
		Long: "Compares the service with what generating it would write, without network and without\n" +
			"changing anything. Exits with 3 when it finds a fault.",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.dir = args[0]
			}
			return runCheck(cmd.Context(), g, o)
		},
	}
	o.addFlags(cmd)
	return cmd
}

// checked is the document of scaffold check. Its keys are public.
type checked struct {
	Service   string    `json:"service"`
	Directory string    `json:"directory"`
	Checks    []string  `json:"checks"` // that ran, in order
	Faults    int       `json:"faults"`
	Findings  []Finding `json:"findings"`
}

func runCheck(ctx context.Context, g *globals, o serviceFlags) (err error) {
	t, w, err := g.open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	report := checked{Service: t.Service.Name, Directory: t.Dir, Findings: []Finding{}}
	for _, check := range slices.Concat([]Check{drift{}}, g.Checks) {
		found, err := check.Run(ctx, t)
		if err != nil {
			return fmt.Errorf("check %s: %w", check.Name(), err)
		}
		report.add(check.Name(), found)
	}
	g.printChecked(report)
	if report.Faults > 0 {
		return &DriftError{report.Faults}
	}
	return nil
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
	if r.Faults > 0 {
		g.printf("%s: %s found\n", r.Service, plural(r.Faults, "fault"))
		return
	}
	g.printf("%s: no faults\n", r.Service)
}

// drift finds files that are not what generating would write.
type drift struct{}

func (drift) Name() string { return "drift" }

func (drift) Run(_ context.Context, t Target) ([]Finding, error) {
	var found []Finding
	for _, d := range t.Plan.Drift() {
		found = append(found, Finding{Path: d.Path, Message: d.Reason + "; run scaffold generate"})
	}
	return found, nil
}
