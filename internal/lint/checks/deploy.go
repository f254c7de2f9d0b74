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

// deployCheck holds what overlays change to the spec. Most of it an API server
// would accept: a grace period that kills, an interval that rules do not know.
type deployCheck struct{}

func (deployCheck) Name() string { return "deploy" }

const overlaysDir = "deploy/overlays"

func (deployCheck) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	if !t.Service.Deploy.RunsOn(spec.PlatformKubernetes) {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(t.Dir, overlaysDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // they are the user's
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
			continue // no overlay; what cannot be read kustomize itself will name
		}
		changes, err := kustomization.Changes(os.DirFS(filepath.Join(t.Dir, filepath.FromSlash(dir))))
		if err != nil {
			found = append(found, lint.Finding{File: dir, Message: err.Error()})
		}
		config, err := userfile.ReadOptional(filepath.Join(t.Dir, path.Join(dir, configFile)), userfile.LargeLimit)
		if err != nil {
			return nil, err
		}
		o := overlay{service: t.Service, config: config, deploy: t.Service.Deploy, scrape: t.Service.Telemetry.ScrapeInterval, changes: changes}
		for _, f := range o.findings() {
			f.File = path.Join(dir, f.File)
			found = append(found, f)
		}
	}
	return found, nil
}

// overlay is the changes of one overlay and what they change.
type overlay struct {
	service spec.Service
	config  []byte // the file config.env; nil without one
	deploy  spec.Deploy
	scrape  time.Duration
	changes []kustomization.Change
}

func (o overlay) findings() []lint.Finding {
	return slices.Concat(o.replicas(), o.grace(), o.intervals(), o.connections(), o.configMap(), o.targets())
}

// configMap finds the name that the ConfigMap had before the service was renamed. Kustomize
// builds such an overlay, and its pods do not start.
func (o overlay) configMap() []lint.Finding {
	const field = "/configMapGenerator/"
	want := o.service.Name + "-config"
	var found []lint.Finding
	for _, c := range o.changes {
		name, ok := strings.CutPrefix(c.Pointer, field)
		if !ok || c.Value != configFile {
			continue
		}
		if name == want {
			return nil
		}
		found = append(found, lint.Finding{File: c.File, Line: c.Line, Column: c.Column,
			Message: fmt.Sprintf("this overlay generates ConfigMap %[2]s, but the Deployment uses %[1]s; rename it here, and other uses of the old name in this file", want, name)})
	}
	return found
}

// targets finds patches of objects that have another name than the service, which Kustomize
// silently ignores. Objects of the user's own may have such names.
func (o overlay) targets() []lint.Finding {
	var found []lint.Finding
	for _, c := range o.changes {
		named := slices.Contains([]string{"Deployment", "HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"}, c.Kind) && c.Target != ""
		pattern, err := regexp.Compile("^(?:" + c.Target + ")$")
		if !named || err != nil || pattern.MatchString(o.service.Name) {
			continue
		}
		found = append(found, lint.Finding{File: c.File, Line: c.Line, Column: c.Column, Warning: true,
			Message: fmt.Sprintf("the patch targets %s %q, but the service is named %q; rename the target, or the patch has no effect", c.Kind, c.Target, o.service.Name)})
	}
	return found
}

// last is the change that stands in the end for a value of an object.
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

// replicas finds numbers that fight with the autoscaler, and bounds that leave
// it none.
func (o overlay) replicas() []lint.Finding {
	var found []lint.Finding
	if c, ok := o.last("Deployment", deploymentReplicas); ok && c.Value != "" {
		found = append(found, lint.Finding{File: c.File, Line: c.Line,
			Message: "a fixed number of replicas resets the autoscaler at each rollout; remove it and set the bounds of the autoscaler"})
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
	bounds.Min, findings[0] = whole(low, lowSet, bounds.Min)
	bounds.Max, findings[1] = whole(high, highSet, bounds.Max)
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
			Message: fmt.Sprintf("%s %d is above %s %d; the API server rejects the autoscaler", least, bounds.Min, most, bounds.Max)})
	}
	return found
}

// whole is the value of a change, or what stands without one.
func whole(c kustomization.Change, set bool, otherwise int) (int, *lint.Finding) {
	if !set || c.Value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(c.Value)
	if err != nil {
		return 0, &lint.Finding{File: c.File, Line: c.Line, Message: fmt.Sprintf("%q is not a whole number", c.Value)}
	}
	return n, nil
}

// grace adds up what a replica needs to stop.
func (o overlay) grace() []lint.Finding {
	g := o.deploy.Grace
	period, periodSet := o.last("Deployment", gracePeriod)
	sleep, sleepSet := o.last("Deployment", preStopSleep)
	if !periodSet && !sleepSet {
		return nil
	}
	seconds, bad := whole(period, periodSet, int(g.Period/time.Second))
	if bad != nil {
		return []lint.Finding{*bad}
	}
	asleep, bad := whole(sleep, sleepSet, int(g.PreStop/time.Second))
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
		"replicas are killed while they stop: preStop %s + drain %s + stop %s + flush %s + margin %s is %s, terminationGracePeriodSeconds is %d; write %d",
		g.PreStop, g.Drain, g.Stop, g.Flush, g.Margin, model.Duration(g.Parts()), seconds, int(g.Parts()/time.Second))}}
}

// intervals finds scrapes that the rules do not know of: they count in windows
// of two scrapes.
func (o overlay) intervals() []lint.Finding {
	var found []lint.Finding
	for _, c := range o.changes {
		if c.Kind != "ServiceMonitor" || !scrapeInterval.MatchString(c.Pointer) {
			continue
		}
		if d, err := model.ParseDuration(c.Value); err != nil || time.Duration(d) != o.scrape {
			found = append(found, lint.Finding{File: c.File, Line: c.Line, Message: fmt.Sprintf(
				"the scrape interval is %q here and %s in the rules (telemetry.scrapeInterval), which would count wrong; change it there",
				c.Value, model.Duration(o.scrape))})
		}
	}
	return found
}

// ofTheEnvironment are variables that Go and OpenTelemetry read by themselves.
func ofTheEnvironment(name string) bool {
	return strings.HasPrefix(name, "OTEL_") || slices.Contains([]string{"GODEBUG", "GOGC", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}, name)
}
