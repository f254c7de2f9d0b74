package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/kustomization"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates/spec"
)

// deployCheck compares overlays with the spec. An API server accepts most of these errors, such
// as a short grace period or another scrape interval than that of the rules.
type deployCheck struct{}

func (deployCheck) Name() string { return "deploy" }

const overlaysDir = "deploy/overlays"

func (deployCheck) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	if !t.Service.Deploy.RunsOn(spec.PlatformKubernetes) {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(t.Dir, overlaysDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the user removed the overlays
	}
	if err != nil {
		return nil, err
	}
	var found []lint.Finding
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := path.Join(overlaysDir, e.Name())
		if src, err := userfile.ReadOptional(filepath.Join(t.Dir, path.Join(dir, kustomization.FileName)), userfile.LargeLimit); err != nil || src == nil {
			continue // not an overlay, or kustomize reports the error
		}
		files := os.DirFS(filepath.Join(t.Dir, filepath.FromSlash(dir)))
		changes, changesErr := kustomization.Changes(files)
		if changesErr != nil {
			found = append(found, lint.Finding{File: dir, Message: changesErr.Error()})
		}
		variables, err := kustomization.Variables(files, configMapOf(t.Service))
		if err != nil && changesErr == nil { // otherwise it is the same error
			found = append(found, lint.Finding{File: dir, Message: err.Error()})
		}
		o := overlay{service: t.Service, variables: variables, deploy: t.Service.Deploy, scrape: t.Service.Telemetry.ScrapeInterval, changes: changes}
		for _, f := range o.findings() {
			f.File = path.Join(dir, f.File)
			found = append(found, f)
		}
	}
	return found, nil
}

// overlay has the changes of one overlay and the spec that they change.
type overlay struct {
	service   spec.Service
	variables []kustomization.Variable // of the ConfigMap that the Deployment reads
	deploy    spec.Deploy
	scrape    time.Duration
	changes   []kustomization.Change
}

func (o overlay) findings() []lint.Finding {
	return slices.Concat(o.replicas(), o.grace(), o.intervals(), o.budgets(), o.configMap(), o.targets())
}

const configMapSuffix = "-config"

// configMapOf returns the name of the ConfigMap that the Deployment reads.
func configMapOf(s spec.Service) string { return s.Name + configMapSuffix }

// configMap finds a ConfigMap that still has the name before the service was renamed. Kustomize
// builds such an overlay, but its pods start without these environment variables.
func (o overlay) configMap() []lint.Finding {
	want := configMapOf(o.service)
	var found []lint.Finding
	for _, c := range o.changes {
		if c.Pointer != "/configMapGenerator" || !strings.HasSuffix(c.Value, configMapSuffix) {
			continue
		}
		if c.Value == want {
			return nil
		}
		found = append(found, lint.Finding{File: c.File, Line: c.Line, Column: c.Column,
			Message: fmt.Sprintf("the overlay generates ConfigMap %[2]s, but the Deployment reads %[1]s; rename it and its other uses in this file", want, c.Value)})
	}
	return found
}

// targets finds patches whose target has another name than the service. Kustomize silently
// ignores them. They are warnings, since the user may add objects with other names.
func (o overlay) targets() []lint.Finding {
	var found []lint.Finding
	for _, c := range o.changes {
		named := slices.Contains([]string{"Deployment", "HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"}, c.Kind) && c.Target != ""
		pattern, err := regexp.Compile("^(?:" + c.Target + ")$")
		if !named || err != nil || pattern.MatchString(o.service.Name) {
			continue
		}
		found = append(found, lint.Finding{File: c.File, Line: c.Line, Column: c.Column, Warning: true,
			Message: fmt.Sprintf("the patch targets %s %q, but the service is named %q: the patch may have no effect; rename the target", c.Kind, c.Target, o.service.Name)})
	}
	return found
}

// last returns the effective change of a value.
func (o overlay) last(kind string, pointer *regexp.Regexp) (kustomization.Change, bool) {
	for _, c := range slices.Backward(o.changes) {
		if (c.Kind == kind || c.Kind == "") && pointer.MatchString(c.Pointer) {
			return c, true
		}
	}
	return kustomization.Change{}, false
}

var (
	deploymentReplicas = regexp.MustCompile(`^(/spec/replicas|/replicas/.+)$`)
	gracePeriod        = regexp.MustCompile(`^/spec/template/spec/terminationGracePeriodSeconds$`)
	preStopSleep       = regexp.MustCompile(`/lifecycle/preStop/sleep/seconds$`)
	scrapeInterval     = regexp.MustCompile(`^/spec/endpoints/\d+/interval$`)
)

// replicas finds fixed replica counts, and a minimum above the maximum.
func (o overlay) replicas() []lint.Finding {
	var found []lint.Finding
	if c, ok := o.last("Deployment", deploymentReplicas); ok && c.Value != "" {
		found = append(found, lint.Finding{File: c.File, Line: c.Line,
			Message: "a fixed replica count overrides the autoscaler at each rollout; remove it, and set the autoscaler's bounds instead"})
	}
	kind, least, most := "HorizontalPodAutoscaler", "minReplicas", "maxReplicas"
	if o.deploy.Autoscale.Source == spec.SourceKEDA {
		kind, least, most = "ScaledObject", "minReplicaCount", "maxReplicaCount"
	}
	bounds := o.deploy.Replicas
	low, lowSet := o.last(kind, regexp.MustCompile("^/spec/"+least+"$"))
	high, highSet := o.last(kind, regexp.MustCompile("^/spec/"+most+"$"))
	if !lowSet && !highSet {
		return found
	}
	var findings [2]*lint.Finding
	bounds.Min, findings[0] = integer(low, lowSet, bounds.Min)
	bounds.Max, findings[1] = integer(high, highSet, bounds.Max)
	for _, f := range findings {
		if f != nil {
			return append(found, *f)
		}
	}
	if bounds.Min > bounds.Max {
		at := low
		if !lowSet {
			at = high
		}
		found = append(found, lint.Finding{File: at.File, Line: at.Line,
			Message: fmt.Sprintf("%s %d is above %s %d, which the API server rejects; change one", least, bounds.Min, most, bounds.Max)})
	}
	return found
}

// integer returns the value of a change, or otherwise if it is not set.
func integer(c kustomization.Change, set bool, otherwise int) (int, *lint.Finding) {
	if !set || c.Value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(c.Value)
	if err != nil {
		return 0, &lint.Finding{File: c.File, Line: c.Line, Message: fmt.Sprintf("%q is not a whole number", c.Value)}
	}
	return n, nil
}

// grace finds grace periods that are shorter than the shutdown.
func (o overlay) grace() []lint.Finding {
	g := o.deploy.Grace
	period, periodSet := o.last("Deployment", gracePeriod)
	sleep, sleepSet := o.last("Deployment", preStopSleep)
	if !periodSet && !sleepSet {
		return nil
	}
	seconds, bad := integer(period, periodSet, int(g.Period/time.Second))
	if bad != nil {
		return []lint.Finding{*bad}
	}
	asleep, bad := integer(sleep, sleepSet, int(g.PreStop/time.Second))
	if bad != nil {
		return []lint.Finding{*bad}
	}
	g.Period, g.PreStop = time.Duration(seconds)*time.Second, time.Duration(asleep)*time.Second
	if g.Period >= g.Parts() {
		return nil
	}
	at := period
	if !periodSet {
		at = sleep
	}
	return []lint.Finding{{File: at.File, Line: at.Line, Message: fmt.Sprintf(
		"terminationGracePeriodSeconds is %d, but a shutdown takes up to %s (preStop %s + drain %s + stop %s + flush %s + margin %s); write %d",
		seconds, model.Duration(g.Parts()), g.PreStop, g.Drain, g.Stop, g.Flush, g.Margin, int(g.Parts()/time.Second))}}
}

// intervals finds scrape intervals that differ from that of the rules, whose windows depend on it.
func (o overlay) intervals() []lint.Finding {
	var found []lint.Finding
	for _, c := range o.changes {
		if c.Kind != "ServiceMonitor" || !scrapeInterval.MatchString(c.Pointer) {
			continue
		}
		if d, err := model.ParseDuration(c.Value); err != nil || time.Duration(d) != o.scrape {
			found = append(found, lint.Finding{File: c.File, Line: c.Line, Message: fmt.Sprintf(
				"the scrape interval is %q, but the rules use %s; remove it, and set telemetry.scrapeInterval in scaffold.yaml",
				c.Value, model.Duration(o.scrape))})
		}
	}
	return found
}

// isLibraryVariable reports whether Go or OpenTelemetry reads an environment variable.
func isLibraryVariable(name string) bool {
	return strings.HasPrefix(name, "OTEL_") || slices.Contains([]string{"GODEBUG", "GOGC", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}, name)
}
