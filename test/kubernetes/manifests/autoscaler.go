package manifests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (ch *checker) autoscaler() {
	d := ch.spec.Deploy
	if d.Autoscale.Source == "keda" {
		ch.wantf(len(ch.Autoscalers) == 0 && len(ch.ScaledObject) == 1, "%d HorizontalPodAutoscalers and %d ScaledObjects, want 0 and 1", len(ch.Autoscalers), len(ch.ScaledObject))
		ch.scaledObjects()
		return
	}
	ch.wantf(len(ch.Autoscalers) == 1 && len(ch.ScaledObject) == 0, "%d HorizontalPodAutoscalers and %d ScaledObjects, want 1 and 0", len(ch.Autoscalers), len(ch.ScaledObject))
	for _, hpa := range ch.Autoscalers {
		lowest := int64(1)
		if hpa.Spec.MinReplicas != nil {
			lowest = int64(*hpa.Spec.MinReplicas)
		}
		ch.bounds(lowest, int64(hpa.Spec.MaxReplicas))
		target := hpa.Spec.ScaleTargetRef
		ch.wantf(target.APIVersion == "apps/v1" && target.Kind == "Deployment" && target.Name == ch.deployment.Name, "the autoscaler scales %v", target)
		var metrics []string
		for _, m := range hpa.Spec.Metrics {
			switch {
			case m.ContainerResource != nil && m.ContainerResource.Target.AverageUtilization != nil:
				r := m.ContainerResource
				metrics = append(metrics, fmt.Sprintf("%s of %s at %d %%", r.Name, r.Container, *r.Target.AverageUtilization))
			case m.Pods != nil && m.Pods.Target.AverageValue != nil:
				metrics = append(metrics, m.Pods.Metric.Name+" at "+m.Pods.Target.AverageValue.String())
			default:
				metrics = append(metrics, string(m.Type))
			}
		}
		want := []string{fmt.Sprintf("cpu of %s at %d %%", ch.main.Name, d.Autoscale.CPU)}
		if d.Autoscale.Source == "adapter" {
			want = append(want, fmt.Sprintf("%s at %d", ch.spec.InFlight, d.Autoscale.InFlight))
		}
		ch.wantf(slices.Equal(metrics, want), "the autoscaler uses %q, want %q", metrics, want)
		ch.wantf(hpa.Spec.Behavior != nil && hpa.Spec.Behavior.ScaleDown != nil && hpa.Spec.Behavior.ScaleUp != nil, "the autoscaler has no behavior")
	}
}

// bounds compares the bounds with the spec. The dev overlay may have a minimum of 1.
func (ch *checker) bounds(lowest, highest int64) {
	r := ch.spec.Deploy.Replicas
	ch.wantf(lowest <= highest, "the autoscaler's minimum %d is above its maximum %d", lowest, highest)
	ch.wantf(highest == r.Max, "the autoscaler's maximum is %d, the spec's %d", highest, r.Max)
	ch.wantf(lowest == r.Min || lowest == 1 && ch.environment() == "dev", "the autoscaler's minimum is %d, the spec's %d", lowest, r.Min)
}

func (ch *checker) scaledObjects() {
	for _, o := range ch.ScaledObject {
		spec, _ := o.Object["spec"].(map[string]any)
		lowest, _ := spec["minReplicaCount"].(int64)
		highest, _ := spec["maxReplicaCount"].(int64)
		ch.bounds(lowest, highest)
		target, _ := spec["scaleTargetRef"].(map[string]any)
		// KEDA defaults to a Deployment.
		ch.wantf(target["name"] == ch.deployment.Name && len(target) == 1, "the ScaledObject scales %v", target)
		triggers := map[string]map[string]any{}
		list, _ := spec["triggers"].([]any)
		for _, item := range list {
			trigger, _ := item.(map[string]any)
			kind, _ := trigger["type"].(string)
			triggers[kind], _ = trigger["metadata"].(map[string]any)
		}
		a := ch.spec.Deploy.Autoscale
		ch.wantf(len(list) == 2 && triggers["cpu"]["value"] == strconv.FormatInt(a.CPU, 10), "the triggers of the ScaledObject are not CPU at %d %% and Prometheus: %v", a.CPU, triggers)
		trigger := triggers["prometheus"]
		query, _ := trigger["query"].(string)
		ch.wantf(trigger["serverAddress"] == a.Prometheus && trigger["threshold"] == strconv.FormatInt(a.InFlight, 10), "the ScaledObject does not query %s with threshold %d: %v", a.Prometheus, a.InFlight, trigger)
		ch.wantf(strings.HasPrefix(query, "sum("+ch.spec.InFlight+"{"), "the query of the ScaledObject is %q, want a sum of %s", query, ch.spec.InFlight)
		for name, value := range ch.spec.Telemetry.Selector {
			matcher := name + "=" + strconv.Quote(value)
			ch.wantf(strings.Contains(query, matcher), "the query of the ScaledObject is %q, without %s", query, matcher)
		}
		if environment := ch.environment(); environment != "" {
			matcher := ch.spec.Telemetry.EnvironmentLabel + "=" + strconv.Quote(environment)
			ch.wantf(strings.Contains(query, matcher), "the query of the ScaledObject of %s is %q, which counts all environments", environment, query)
		}
	}
}
