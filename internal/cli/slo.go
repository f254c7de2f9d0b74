package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

type sloOptions struct {
	file   string // - is standard input
	dir    string // empty: standard output
	format string
	// imported completes files of other tools.
	imported importFlags
	metrics  string // file or URL of a metrics page, or URL of Prometheus; empty: not checked
}

func newSLOCommand(g *globals) *cobra.Command {
	var o sloOptions
	cmd := &cobra.Command{
		Use:   "slo [FILE]",
		Short: "Compile objectives to rules, alerts, their tests and runbooks, or push rules to Mimir",
		Long: "Compile the objectives of FILE: a " + slo.APIVersion + " file, or the " + spec.FileName + " of a\n" +
			"service. Without FILE, the service in the current directory is used; - reads\n" +
			"standard input.\n\n" +
			"Files of OpenSLO (v1, v1alpha), sloth (prometheus/v1, PrometheusServiceLevel) and Pyrra\n" +
			"(ServiceLevelObjective) are imported, also as lists. Standard error lists each part of the\n" +
			"file that was changed or dropped. An unsupported key that affects rules is an error, and\n" +
			"nothing is written. See docs/slo.md.\n\n" +
			"Rules go to standard output. With -o DIR the files of the format go to DIR:\n\n" +
			"  prometheus  rules, their tests for promtool, alertmanager.yaml, runbooks\n" +
			"  operator    PrometheusRule, AlertmanagerConfig, alertmanager.yaml, runbooks; no tests,\n" +
			"              because promtool does not read a PrometheusRule\n" +
			"  openslo     the objectives as OpenSLO\n\n" +
			"In runbooks, text outside of the markers is kept. Standard error lists how long each\n" +
			"alert takes to fire.\n\n" +
			"--metrics checks names, labels and bucket bounds against a Prometheus, as --prometheus of\n" +
			"scaffold lint does, or against output of /metrics.",
		Example: "  scaffold slo checkout.slo.yaml -o rules\n" +
			"  scaffold slo checkout.slo.yaml --format operator | kubectl apply -f -\n" +
			"  scaffold slo sloth.yaml --service checkout --selector job=checkout-api\n" +
			"  scaffold slo checkout.slo.yaml --metrics http://localhost:9090 -o rules",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.file = args[0]
			}
			if !slices.Contains(ruleFormats(), o.format) {
				return usage(cmd, "--format: %q is not known; write %s%s", o.format, strings.Join(ruleFormats(), ", "), diagnostic.DidYouMean(o.format, ruleFormats()))
			}
			if err := o.imported.validate(cmd); err != nil {
				return err
			}
			return runSLO(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVarP(&o.dir, "out", "o", "", "directory to write to (default: rules to standard output)")
	cmd.Flags().StringVar(&o.format, "format", formatPrometheus, "format of the files: "+strings.Join(ruleFormats(), ", "))
	offer(cmd, "format", ruleFormats())
	o.imported.addFlags(cmd)
	cmd.Flags().StringVar(&o.metrics, "metrics", "", "URL of a Prometheus or of /metrics, or a file with output of /metrics")
	cmd.AddCommand(newSLOPushCommand(g))
	return cmd
}

// Output formats of rules.
const (
	formatPrometheus = "prometheus" // rule files
	formatOperator   = "operator"   // one PrometheusRule of the Prometheus operator
	formatOpenSLO    = "openslo"    // the objectives, without rules
)

func ruleFormats() []string { return []string{formatPrometheus, formatOperator, formatOpenSLO} }

func runSLO(ctx context.Context, g *globals, o sloOptions) error {
	in, err := g.readObjectives(o.file, o.imported)
	if err != nil {
		return err
	}
	if o.metrics != "" {
		if in.warnings, err = g.checkAgainst(ctx, o.metrics, in); err != nil {
			return err
		}
	}
	rules, err := slo.Compile(in.Spec)
	if err != nil {
		return err
	}
	if g.output != "json" && o.dir == "" && o.format == formatPrometheus {
		return g.streamRules(rules, o, in)
	}
	files, lost, err := ruleOutput(rules, o)
	if err != nil {
		return err
	}
	if o.dir != "" {
		if err := writeDirectory(ctx, o.dir, files); err != nil {
			return err
		}
	}
	doc := describeRules(rules, o, files).imported(in)
	doc.Dropped = append(doc.Dropped, lost...)
	if g.output == "json" {
		g.printJSON(doc.withData(files))
		return nil
	}
	if o.dir == "" {
		if _, err := g.Streams.Out.Write(files[0].Data); err != nil {
			return fmt.Errorf("write to standard output: %w", err)
		}
	}
	return doc.summarize(g.Streams.Err)
}

// streamRules writes the rules while they are made: the rules of a thousand objectives have
// megabytes.
func (g *globals) streamRules(rules slo.Rules, o sloOptions, in objectives) error {
	if err := rules.WriteRuleFile(g.Streams.Out); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return describeRules(rules, o, nil).imported(in).summarize(g.Streams.Err)
}

// apiVersion returns the apiVersion of the first document. It returns "" for a file without one
// or with invalid YAML; the parser of our own format then reports the error. Most files have it
// on a line without indentation, so that the rest need not be parsed.
func apiVersion(src []byte) string {
	var head struct {
		APIVersion string `yaml:"apiVersion"`
	}
	for line := range bytes.Lines(src) {
		if !bytes.HasPrefix(line, []byte("apiVersion:")) {
			continue
		}
		if err := yaml.Unmarshal(line, &head); err == nil {
			return head.APIVersion
		}
		break
	}
	if err := yaml.Unmarshal(src, &head); err != nil {
		return ""
	}
	return head.APIVersion
}

// ruleOutput returns the files of the format, the one for standard output first, and lists what
// the format cannot express.
func ruleOutput(rules slo.Rules, o sloOptions) (files []slo.File, lost []string, err error) {
	service := rules.Spec.Service
	switch {
	case o.format == formatOpenSLO:
		data, lost, err := slo.ExportOpenSLO(rules.Spec)
		return []slo.File{{Name: service + ".openslo.yaml", Data: data}}, lost, err
	case o.format == formatOperator:
		files = []slo.File{{Name: service + ".prometheusrule.yaml", Data: rules.PrometheusRule()}}
		if o.dir != "" {
			files = append(files, slo.File{Name: service + ".alertmanagerconfig.yaml", Data: rules.AlertmanagerConfig()})
		}
	case o.dir == "":
		files = []slo.File{{Name: service + ".rules.yaml", Data: rules.RuleFile()}}
	default:
		files = rules.Files()
	}
	if o.dir == "" {
		return files, nil, nil
	}
	books, err := rules.Runbooks(slo.RunbookOptions{})
	if err != nil {
		return nil, nil, err
	}
	files = append(files, slo.File{Name: "alertmanager.yaml", Data: rules.Alertmanager()})
	for _, b := range books {
		files = append(files, slo.File{Name: runbookDirectory + "/" + b.Name, Data: b.Data})
	}
	return files, nil, nil
}

const runbookDirectory = "runbooks"
