package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/project/specedit"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/slo"
)

// objectiveOptions are the flags of scaffold add slo.
type objectiveOptions struct {
	generateOptions
	name, description, objective, window string
	route, method                        string
	latency, histogram                   string
	total, bad, good                     string
}

func newAddSLOCommand(g *globals) *cobra.Command {
	var o objectiveOptions
	cmd := &cobra.Command{
		Use:   "slo NAME",
		Short: "Add an objective to a service",
		Long: "Add an objective to slos in scaffold.yaml, and generate its rules, alerts, runbook and\n" +
			"dashboard. Without --latency and --total it is the availability: the ratio of requests\n" +
			"without a server error. Other bytes of scaffold.yaml stay as they are.\n\n" +
			"Unknown metrics, labels and routes are errors, reported at their line in scaffold.yaml.\n\n" +
			"Exit codes: 0 no errors; 3 errors found, files written; 2 files written with conflicts to\n" +
			"resolve, or nothing written because of edits; 1 any other error.",
		Example: "  scaffold add slo reads --objective 99.9 --route '/v1/orders/{id}' --method GET\n" +
			"  scaffold add slo quotes --objective 99 --latency 50ms --route /v1/quotes\n" +
			"  scaffold add slo shipping --objective 99.5 --total orders_shipped_total --bad 'orders_shipped_total{result=\"failed\"}'",
		Args: named("such as availability"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			if err := o.check(cmd); err != nil {
				return err
			}
			return asArgument(cmd, runAddSLO(cmd.Context(), g, o))
		},
	}
	addGrowFlags(cmd, &o.generateOptions)
	o.addFlags(cmd)
	return cmd
}

func (o *objectiveOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.objective, "objective", "", "ratio of good events in percent, such as 99.9 (required)")
	flags.StringVar(&o.window, "window", string(slo.DefaultWindow), "period of the error budget: "+strings.Join(windows(), ", "))
	flags.StringVar(&o.description, "description", "", "meaning of the objective to users")
	flags.StringVar(&o.route, "route", "", "route pattern of the requests that count, such as /v1/orders/{id}")
	flags.StringVar(&o.method, "method", "", "method of the requests that count, such as GET")
	flags.StringVar(&o.latency, "latency", "", "longest good duration, such as 200ms; a bucket bound of the histogram")
	flags.StringVar(&o.histogram, "histogram", "", "selector of the histogram for --latency (default: that of successful requests)")
	flags.StringVar(&o.total, "total", "", "selector of the counter of all events")
	flags.StringVar(&o.bad, "bad", "", "selector of the counter of bad events, for --total")
	flags.StringVar(&o.good, "good", "", "selector of the counter of good events, for --total")
	offer(cmd, "window", windows())
}

func windows() []string {
	var all []string
	for _, w := range slo.Windows() {
		all = append(all, string(w))
	}
	return all
}

// check reports flags that do not go together. The spec checks their values.
func (o *objectiveOptions) check(cmd *cobra.Command) error {
	switch {
	case o.objective == "":
		return usage(cmd, "--objective is missing; write the ratio of good events in percent, such as 99.9")
	case o.latency != "" && o.total != "":
		return usage(cmd, "--latency and --total are of different indicators; use one of them")
	case o.histogram != "" && o.latency == "":
		return usage(cmd, "--histogram needs --latency, the longest good duration")
	case o.total == "" && cmp.Or(o.bad, o.good) != "":
		return usage(cmd, "--bad and --good need --total, the counter of all events")
	case o.total != "" && (o.bad == "") == (o.good == ""):
		return usage(cmd, "--total needs either --bad or --good")
	}
	return nil
}

func runAddSLO(ctx context.Context, g *globals, o objectiveOptions) error {
	text, err := o.yaml()
	if err != nil {
		return err
	}
	o.Edit = func(s *specedit.Spec) error {
		before, err := s.Defaults.Parse(s.Name, s.Src)
		if err != nil {
			return err
		}
		return o.inFlags(fmt.Sprintf("slos[%d].", len(before.SLOs)), s.AddObjective(text))
	}
	return runGenerate(ctx, g, o.generateOptions)
}

// yaml returns the objective with the keys in the order of scaffold.yaml.
func (o *objectiveOptions) yaml() (string, error) {
	indicator := map[string]any{"availability": struct{}{}}
	switch {
	case o.latency != "":
		indicator = map[string]any{"latency": struct {
			Threshold string `yaml:"threshold"`
			Histogram string `yaml:"histogram,omitempty"`
		}{o.latency, o.histogram}}
	case o.total != "":
		indicator = map[string]any{"ratio": struct {
			Total string `yaml:"total"`
			Bad   string `yaml:"bad,omitempty"`
			Good  string `yaml:"good,omitempty"`
		}{o.total, o.bad, o.good}}
	}
	percent := &yaml.Node{Kind: yaml.ScalarNode, Value: o.objective}
	if _, valid := slo.Percent(o.objective).Rat(); !valid {
		percent.SetString(o.objective)
	}
	text, err := yaml.Marshal(struct {
		Name        string         `yaml:"name"`
		Description string         `yaml:"description,omitempty"`
		Objective   *yaml.Node     `yaml:"objective"`
		Window      string         `yaml:"window"`
		Route       string         `yaml:"route,omitempty"`
		Method      string         `yaml:"method,omitempty"`
		Indicator   map[string]any `yaml:"indicator,flow"`
	}{o.name, o.description, percent, o.window, o.route, o.method, indicator})
	return string(text), err
}

// inFlags replaces the keys of the new objective by flags. They are not in the file.
func (o *objectiveOptions) inFlags(item string, err error) error {
	list, ok := errors.AsType[diagnostic.List](err)
	if !ok {
		return err
	}
	flags := slices.Clone(list)
	for i, p := range flags {
		key, found := strings.CutPrefix(p.Path, item)
		if !found {
			return err
		}
		at := "--" + key[strings.LastIndex(key, ".")+1:]
		switch key {
		case "name":
			at = "NAME"
		case "indicator.latency.threshold":
			at = "--latency"
		}
		flags[i] = diagnostic.Problem{Path: at, Message: p.Message}
	}
	return flags
}
