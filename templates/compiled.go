package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

// compiled returns the files that are computed rather than rendered from templates: declared
// signals, and everything that follows from the objectives.
func (v view) compiled() ([]File, error) {
	signals, errSignals := v.signalFiles()
	rules, err := slo.Compile(v.SLO())
	if err != nil {
		return nil, errors.Join(errSignals, err)
	}
	runbooks, errRunbooks := v.runbookFiles(rules)
	dashboards, errDashboards := v.dashboardFiles(rules)
	files := slices.Concat(signals, ruleFiles(rules), runbooks, dashboards)
	if v.Deploy.RunsOn(spec.PlatformKubernetes) {
		analysis, err := analysisFile(rules)
		files = append(files,
			generated("observability/kubernetes/prometheusrule.yaml", rules.PrometheusRule(v.MonitoringLabels()...)),
			generated("observability/kubernetes/alertmanagerconfig.yaml", rules.AlertmanagerConfig(v.MonitoringLabels()...)), analysis)
		errDashboards = errors.Join(errDashboards, err)
	}
	return files, errors.Join(errSignals, errRunbooks, errDashboards)
}

// DashboardInput returns the input for the dashboards of a service.
func DashboardInput(service spec.Service, rules slo.Rules) (dashboards.Input, error) {
	_, port, err := net.SplitHostPort(service.Admin.Addr)
	if err != nil {
		return dashboards.Input{}, fmt.Errorf("admin.addr: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return dashboards.Input{}, fmt.Errorf("admin.addr: port %q is not a number", port)
	}
	in := dashboards.Input{
		Rules:      rules,
		Histograms: dashboards.Histograms(service.Telemetry.Histograms),
		AdminPort:  number,
		Scaling:    scaling(service.Deploy),
	}
	for _, part := range service.Parts() {
		if part.Dependency != nil {
			in.Dependencies = append(in.Dependencies, *part.Dependency)
		}
	}
	return in, nil
}

// dashboardInput adds the metrics that no other dashboard shows.
func (v view) dashboardInput(rules slo.Rules) (dashboards.Input, error) {
	in, err := DashboardInput(v.Service, rules)
	if err != nil {
		return dashboards.Input{}, err
	}
	in.Custom, err = v.customMetrics()
	return in, err
}

// scaling returns the target of the autoscaler, if there is one.
func scaling(d spec.Deploy) dashboards.Scaling {
	if !d.RunsOn(spec.PlatformKubernetes) {
		return dashboards.Scaling{}
	}
	target := dashboards.Scaling{CPU: d.Resources.Cores() * float64(d.Autoscale.CPU) / 100}
	if d.Autoscale.Source != spec.SourceCPU {
		target.InFlight = float64(d.Autoscale.InFlight)
	}
	return target
}

// dashboardFiles returns the dashboards and the local stack that shows them.
func (v view) dashboardFiles(rules slo.Rules) ([]File, error) {
	in, err := v.dashboardInput(rules)
	if err != nil {
		return nil, err
	}
	compiled, err := dashboards.Compile(in)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, d := range compiled {
		data, err := d.JSON()
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", d.Name(), err)
		}
		files = append(files, generated("observability/dashboards/"+d.Name()+".json", data))
	}
	stack, err := dashboards.Provisioning(in)
	if err != nil {
		return nil, err
	}
	for _, f := range stack {
		files = append(files, generated(f.Path, f.Data))
	}
	return files, nil
}

func (v view) signalFiles() ([]File, error) {
	telemetry, err := v.signals().JSON()
	if len(v.Signals) > 0 {
		telemetry = v.Signals
	}
	return []File{generated("observability/telemetry.json", telemetry)}, err
}

func ruleFiles(rules slo.Rules) []File {
	files := []File{generated("observability/alertmanager.yaml", rules.Alertmanager())}
	for _, f := range rules.Files() {
		files = append(files, generated("observability/rules/"+f.Name, f.Data))
	}
	return files
}

// analysisFile returns the queries that ./ci deploy uses to analyze a rollout.
func analysisFile(rules slo.Rules) (File, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(rules.RolloutAnalysis())
	return generated("deploy/analysis.json", buf.Bytes()), err
}

// runbookFiles returns the runbooks. They are generated except for the title and the notes of
// the team, which are user-owned.
func (v view) runbookFiles(rules slo.Rules) ([]File, error) {
	o, err := v.runbookOptions()
	if err != nil {
		return nil, err
	}
	books, err := rules.Runbooks(o)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, b := range books {
		files = append(files, File{Path: "observability/runbooks/" + b.Name, Mode: 0o644, Data: b.Data, Owner: Block})
	}
	return files, nil
}

// runbookOptions has the commands for the last environment, where most alerts come from.
func (v view) runbookOptions() (slo.RunbookOptions, error) {
	if !v.DeploysToKubernetes() {
		return v.withoutKubernetes(), nil
	}
	environment := v.LastEnvironment()
	namespace := v.Name + "-" + environment // as in the overlays
	o := slo.RunbookOptions{
		Environment: environment, Generated: true, Dependencies: v.hasDependencies(), Namespace: namespace, Rollback: v.CI() + " rollback " + environment + " N", Slot: v.slot,
	}
	for _, p := range v.Parts() {
		o.Kubectl = append(o.Kubectl, p.Kubectl...)
	}
	if v.ScalesByKEDA() {
		o.Autoscaler = "scaledobject"
	}
	var err error
	o.AdminPort, err = v.AdminPort()
	return o, err
}

// hasDependencies reports whether there is a dashboard of the dependencies.
func (v view) hasDependencies() bool {
	return slices.ContainsFunc(v.Parts(), func(p spec.Part) bool { return p.Dependency != nil })
}

// withoutKubernetes has the commands of Cloud Run, or none.
func (v view) withoutKubernetes() slo.RunbookOptions {
	o := slo.RunbookOptions{Generated: true, Dependencies: v.hasDependencies(), Commands: []slo.Command{}, Slot: v.slot}
	if v.Deploy.RunsOn(spec.PlatformCloudRun) {
		const services = "gcloud run services "
		of := " " + v.Name + " --region=REGION"
		o.Context = "gcloud config get project"
		o.Commands = []slo.Command{
			{Purpose: "list revisions, the newest first", Line: "gcloud run revisions list --service=" + v.Name + " --region=REGION"},
			{Purpose: "roll back to REVISION", Line: services + "update-traffic" + of + " --to-revisions=REVISION=100"},
			{Purpose: "end a rollback, once the newest revision is right", Line: services + "update-traffic" + of + " --to-latest"},
			{Purpose: "read the log", Line: services + "logs read" + of + " --limit=50"},
			{Purpose: "start at least N instances", Line: services + "update" + of + " --min=N"},
			{Purpose: "raise the maximum of instances to N, in a new revision", Line: services + "update" + of + " --max-instances=N"},
		}
	}
	return o
}

func generated(path string, data []byte) File {
	return File{Path: path, Mode: 0o644, Data: data, Owner: Generated}
}
