package cli

import (
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

func newAddPanelCommand(g *globals) *cobra.Command {
	var o generateOptions
	var p grow.Panel
	cmd := &cobra.Command{
		Use:   "panel TITLE",
		Short: "Add a panel to a dashboard of your own",
		Long: "Add a graph below the other panels of a dashboard in observability/dashboards/own. The\n" +
			"dashboard is created if it does not exist, with the variables of the generated ones. Other\n" +
			"bytes of an existing dashboard stay as they are.\n\n" +
			"Selectors of the service's metrics get the labels of the service, the environment and the\n" +
			"instance, unless the query has them. A counter without rate or increase is an error.\n" +
			"Quote the query with ', so that the shell keeps $__rate_interval.",
		Example: "  scaffold add panel 'Shipped orders' --expr 'sum by (result) (rate(orders_shipped_total[$__rate_interval]))'\n" +
			"  scaffold add panel 'Queue length' --expr 'max(queue_items)' --dashboard shipping",
		Args: named("such as 'Shipped orders by result'"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Title = args[0]
			if p.Expr == "" {
				return usage(cmd, "--expr is missing; write PromQL, such as 'sum(rate(orders_shipped_total[$__rate_interval]))'")
			}
			return asArgument(cmd, runGrow(cmd.Context(), g, o, func(s grow.Service) (grow.Change, error) { return addPanel(s, p) }))
		},
	}
	addGrowFlags(cmd, &o)
	cmd.Flags().StringVar(&p.Expr, "expr", "", "query in PromQL (required)")
	cmd.Flags().StringVar(&p.Unit, "unit", "", "unit of the values, as Grafana names it, such as s, bytes or percentunit (default: that of the query)")
	cmd.Flags().StringVar(&p.Description, "description", "", "meaning of the panel (default: the descriptions of the metrics)")
	cmd.Flags().StringVar(&p.Dashboard, "dashboard", grow.DefaultDashboard, "name of the file in observability/dashboards/own, without .json")
	return cmd
}

// addPanel adds a panel if scaffold check finds no errors in it.
func addPanel(s grow.Service, p grow.Panel) (grow.Change, error) {
	signals, err := s.Signals()
	if err != nil {
		return grow.Change{}, err
	}
	if p.Unit == "" {
		p.Unit = checks.PanelUnit(s.Spec, signals, p.Expr)
	}
	change, err := s.Panel(p, signals)
	if err != nil {
		return grow.Change{}, err
	}
	var list diagnostic.List
	for _, f := range checks.CheckPanel(s.Spec, signals, p.File(), change.Files[0].Data, p.Title) {
		flag, message := "--expr", f.Message
		switch f.Rule {
		case "panel-unit-mismatch":
			flag = "--unit"
		case "unknown-metric":
			message += "; if the code declares it, run scaffold generate first"
		}
		list = append(list, diagnostic.Problem{Path: flag, Message: message})
	}
	return change, list.Err()
}
