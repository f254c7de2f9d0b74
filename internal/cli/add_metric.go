package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/runtime/declared"
)

func newAddMetricCommand(g *globals) *cobra.Command {
	var o generateOptions
	var m declared.Metric
	cmd := &cobra.Command{
		Use:   "metric TYPE NAME",
		Short: "Add a metric to a service",
		Long: "Declare a metric in the command of the service, and generate its panel on the dashboard of\n" +
			"custom metrics. You pass it to the code that counts or measures.\n\n" +
			"Types: " + strings.Join(grow.MetricTypes(), ", ") + ". Names are those of Prometheus: counters end in _total, others in\n" +
			"a base unit such as _seconds or _bytes; a histogram of counts ends in _items.",
		Example: "  scaffold add metric counter orders_shipped_total --description 'Shipped orders, by result.' --label result\n" +
			"  scaffold add metric histogram order_lines_items --description 'Lines of an order.'",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) != 2:
				return usage(cmd, "%d arguments are given; give a type and a name, such as counter orders_shipped_total", len(args))
			case !slices.Contains(grow.MetricTypes(), args[0]):
				return usage(cmd, "unknown type %q; write %s%s", args[0], anyOf(grow.MetricTypes()), diagnostic.DidYouMean(args[0], grow.MetricTypes()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Type, m.Name = declared.Type(args[0]), args[1]
			return asArgument(cmd, runGrow(cmd.Context(), g, o, func(s grow.Service) (grow.Change, error) { return s.Metric(m) }))
		},
	}
	addGrowFlags(cmd, &o)
	cmd.Flags().StringVar(&m.Help, "description", "", "meaning of the metric, a sentence (required)")
	cmd.Flags().StringSliceVar(&m.Labels, "label", nil, "name of a label with few values, such as result")
	return cmd
}
