package checks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project/kustomization"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/spec"
)

var (
	maxSurge     = regexp.MustCompile(`^/spec/strategy/rollingUpdate/maxSurge$`)
	variableName = regexp.MustCompile(`^(.*/env/[^/]+)/name$`)
)

// budgets finds overlays whose instances together may exceed a limit that they share, such as the connections
// of a database. The spec is checked when it is parsed.
func (o overlay) budgets() []lint.Finding {
	var out []lint.Finding
	for _, part := range o.service.Parts() {
		if part.Budget != nil {
			out = append(out, o.budget(*part.Budget)...)
		}
	}
	return out
}

func (o overlay) budget(b component.Budget) []lint.Finding {
	pool, poolSet := o.variableChange(b.Variable)
	most, mostSet := o.last(o.autoscaler())
	count, countSet := o.last("Deployment", deploymentReplicas)
	surge, surgeSet := o.last("Deployment", maxSurge)
	if !poolSet && !mostSet && !countSet && !surgeSet {
		return nil
	}
	size, bad := integer(pool, poolSet, o.service.Share(b))
	if bad != nil {
		return []lint.Finding{*bad}
	}
	replicas, bad := integer(most, mostSet, o.service.Deploy.Replicas.Max)
	if bad != nil {
		return nil // replicas reports it
	}
	if n, bad := integer(count, countSet, 0); bad == nil {
		replicas = max(replicas, n)
	}
	more, bad := surgeOf(surge, surgeSet, replicas)
	if bad != nil {
		return []lint.Finding{*bad}
	}
	at := first([]kustomization.Change{pool, most, count, surge}, []bool{poolSet, mostSet, countSet, surgeSet})
	message := overBudget(b, replicas, more, size)
	if message == "" {
		return nil
	}
	return []lint.Finding{{File: at.File, Line: at.Line, Column: at.Column, Message: message}}
}

// overBudget returns a message if what all instances may use together exceeds the budget.
func overBudget(b component.Budget, replicas, surge, size int) string {
	instances := replicas + surge
	sum := instances*size + b.Reserved
	if instances < 1 || sum <= b.Total {
		return ""
	}
	advice := fmt.Sprintf("set %s to %d", b.Variable, b.Share(instances))
	if b.Share(instances) < 1 {
		advice = fmt.Sprintf("allow fewer replicas, or raise the budget to %d or more if the database allows it", instances+b.Reserved)
	}
	return fmt.Sprintf("%d instances (%d + %d surge) x %d %s + %d for %s = %d, above the budget of %d (%s); %s",
		instances, replicas, surge, size, b.Unit, b.Reserved, b.ReservedFor, sum, b.Total, b.Key, advice)
}

// autoscaler returns the kind of the autoscaler and the pointer of its maximum.
func (o overlay) autoscaler() (kind string, most *regexp.Regexp) {
	if o.deploy.Autoscale.Source == spec.SourceKEDA {
		return "ScaledObject", regexp.MustCompile(`^/spec/maxReplicaCount$`)
	}
	return "HorizontalPodAutoscaler", regexp.MustCompile(`^/spec/maxReplicas$`)
}

// variableChange returns the change of an environment variable. A patch of the container overrides the ConfigMap.
func (o overlay) variableChange(variable string) (kustomization.Change, bool) {
	for i, c := range slices.Backward(o.changes) {
		match := variableName.FindStringSubmatch(c.Pointer)
		if match == nil || c.Value != variable {
			continue
		}
		for _, j := range []int{i + 1, i - 1} { // name and value are adjacent, in any order
			if j >= 0 && j < len(o.changes) && o.changes[j].Pointer == match[1]+"/value" {
				return o.changes[j], true
			}
		}
	}
	for _, v := range o.variables {
		if v.Name == variable {
			return kustomization.Change{Value: strings.TrimSpace(v.Value), File: v.File, Line: v.Line, Column: v.Column}, true
		}
	}
	return kustomization.Change{}, false
}

// surgeOf returns the number of instances that a rollout adds. maxSurge is a number or a
// percentage.
func surgeOf(c kustomization.Change, set bool, replicas int) (int, *lint.Finding) {
	if !set || c.Value == "" {
		return spec.Surge(replicas, spec.SurgePercent), nil
	}
	if text, isPercent := strings.CutSuffix(c.Value, "%"); isPercent {
		if percent, err := strconv.Atoi(text); err == nil {
			return spec.Surge(replicas, percent), nil
		}
	}
	return integer(c, set, 0)
}

// first returns the first change that is set.
func first(changes []kustomization.Change, set []bool) kustomization.Change {
	return changes[slices.Index(set, true)]
}
