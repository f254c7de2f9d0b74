package manifests

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/observability-first/scaffold/test/kubernetes/generated"
)

// Judge says what is wrong with the objects of deploy/base, or of an overlay,
// of a service with the spec.
func (s Set) Judge(spec generated.Spec) []string {
	if len(s.Deployments) != 1 || len(s.Services) != 1 || len(s.Accounts) != 1 || len(s.Budgets) != 1 {
		return []string{fmt.Sprintf("%d Deployments, %d Services, %d ServiceAccounts and %d PodDisruptionBudgets, want one of each",
			len(s.Deployments), len(s.Services), len(s.Accounts), len(s.Budgets))}
	}
	j := &judge{Set: s, spec: spec, deployment: s.Deployments[0], service: s.Services[0]}
	j.pod = j.deployment.Spec.Template.Spec
	for i, container := range j.pod.Containers {
		if container.Name == spec.Service {
			j.main = &j.pod.Containers[i]
		}
	}
	if j.main == nil {
		return []string{"no container has the name of the service"}
	}
	j.selectors()
	j.rollout()
	j.autoscaler()
	j.grace()
	j.ports()
	j.probes()
	j.resources()
	j.security()
	j.secrets()
	j.budget()
	j.monitor()
	j.route()
	j.policies()
	return j.problems
}

type judge struct {
	Set

	spec       generated.Spec
	deployment appsv1.Deployment
	service    corev1.Service
	pod        corev1.PodSpec
	main       *corev1.Container
	problems   []string
}

func (j *judge) want(fine bool, format string, args ...any) {
	if !fine {
		j.problems = append(j.problems, fmt.Sprintf(format, args...))
	}
}

// picks says whether the selector finds the pods. One that is empty finds all
// others, too.
func (j *judge) picks(what string, selector *metav1.LabelSelector) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	j.want(err == nil && !s.Empty() && s.Matches(labels.Set(j.deployment.Spec.Template.Labels)),
		"the selector of %s does not match the pods' labels", what)
}

func (j *judge) selectors() {
	j.picks("the Deployment", j.deployment.Spec.Selector)
	j.picks("the Service", &metav1.LabelSelector{MatchLabels: j.service.Spec.Selector})
	j.picks("the PodDisruptionBudget", j.Budgets[0].Spec.Selector)
	for _, p := range j.Policies {
		j.picks("the NetworkPolicy "+p.Name, &p.Spec.PodSelector)
	}
	for _, c := range j.pod.TopologySpreadConstraints {
		j.picks("the spread over "+c.TopologyKey, c.LabelSelector)
		j.want(slices.Contains(c.MatchLabelKeys, "pod-template-hash"), "the spread over %s counts the pods of the revision that leaves", c.TopologyKey)
	}
	var keys []string
	for _, c := range j.pod.TopologySpreadConstraints {
		keys = append(keys, c.TopologyKey)
	}
	j.want(slices.Equal(keys, []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"}), "pods are spread over %q", keys)
}

func (j *judge) rollout() {
	j.want(j.deployment.Spec.Replicas == nil, "replicas stand beside an autoscaler")
	rolling := j.deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable == nil || rolling.MaxSurge == nil {
		j.want(false, "the strategy leaves a roll-out to defaults, which take pods away first")
		return
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxSurge, int(j.spec.Deploy.Replicas.Min), true)
	j.want(*rolling.MaxUnavailable == intstr.FromInt32(0), "a roll-out takes %v pods away", rolling.MaxUnavailable)
	j.want(err == nil && surge > 0, "a roll-out may add no pod, and so goes nowhere")
	if deadline := j.deployment.Spec.ProgressDeadlineSeconds; deadline != nil {
		slowest := int64(j.main.StartupProbe.PeriodSeconds*j.main.StartupProbe.FailureThreshold) + int64(j.deployment.Spec.MinReadySeconds)
		j.want(int64(*deadline) > slowest, "a roll-out is given up after %d s, while a start may take %d s", *deadline, slowest)
	}
}

func (j *judge) autoscaler() {
	d := j.spec.Deploy
	if d.Autoscale.Source == "keda" {
		j.want(len(j.Autoscalers) == 0 && len(j.ScaledObject) == 1, "%d HorizontalPodAutoscalers and %d ScaledObjects, want KEDA's alone", len(j.Autoscalers), len(j.ScaledObject))
		j.scaledObjects()
		return
	}
	j.want(len(j.Autoscalers) == 1 && len(j.ScaledObject) == 0, "%d HorizontalPodAutoscalers and %d ScaledObjects, want one that Kubernetes serves", len(j.Autoscalers), len(j.ScaledObject))
	for _, hpa := range j.Autoscalers {
		lowest := int64(1)
		if hpa.Spec.MinReplicas != nil {
			lowest = int64(*hpa.Spec.MinReplicas)
		}
		j.bounds(lowest, int64(hpa.Spec.MaxReplicas))
		target := hpa.Spec.ScaleTargetRef
		j.want(target.APIVersion == "apps/v1" && target.Kind == "Deployment" && target.Name == j.deployment.Name, "the autoscaler scales %v", target)
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
		want := []string{fmt.Sprintf("cpu of %s at %d %%", j.main.Name, d.Autoscale.CPU)}
		if d.Autoscale.Source == "adapter" {
			want = append(want, fmt.Sprintf("http_server_active_requests at %d", d.Autoscale.InFlight))
		}
		j.want(slices.Equal(metrics, want), "the autoscaler asks for %q, want %q", metrics, want)
		j.want(hpa.Spec.Behavior != nil && hpa.Spec.Behavior.ScaleDown != nil && hpa.Spec.Behavior.ScaleUp != nil, "the autoscaler has no behaviour")
	}
}

// bounds may be lower in an overlay that is for trying things.
func (j *judge) bounds(lowest, highest int64) {
	r := j.spec.Deploy.Replicas
	j.want(lowest <= highest, "the autoscaler's minimum %d is above its maximum %d", lowest, highest)
	j.want(highest == r.Max, "the autoscaler's maximum is %d, the spec's %d", highest, r.Max)
	j.want(lowest == r.Min || lowest == 1 && j.environment() == "dev", "the autoscaler's minimum is %d, the spec's %d", lowest, r.Min)
}

func (j *judge) scaledObjects() {
	for _, o := range j.ScaledObject {
		spec, _ := o.Object["spec"].(map[string]any)
		lowest, _ := spec["minReplicaCount"].(int64)
		highest, _ := spec["maxReplicaCount"].(int64)
		j.bounds(lowest, highest)
		target, _ := spec["scaleTargetRef"].(map[string]any)
		// KEDA takes a Deployment where kind and version are left out.
		j.want(target["name"] == j.deployment.Name && len(target) == 1, "the ScaledObject scales %v", target)
		triggers := map[string]map[string]any{}
		list, _ := spec["triggers"].([]any)
		for _, item := range list {
			trigger, _ := item.(map[string]any)
			kind, _ := trigger["type"].(string)
			triggers[kind], _ = trigger["metadata"].(map[string]any)
		}
		a := j.spec.Deploy.Autoscale
		j.want(len(list) == 2 && triggers["cpu"]["value"] == strconv.FormatInt(a.CPU, 10), "the ScaledObject does not ask for CPU at %d %%: %v", a.CPU, triggers)
		asked := triggers["prometheus"]
		query, _ := asked["query"].(string)
		j.want(asked["serverAddress"] == a.Prometheus && asked["threshold"] == strconv.FormatInt(a.InFlight, 10), "the ScaledObject does not ask %s: %v", a.Prometheus, asked)
		j.want(strings.Contains(query, "http_server_active_requests{"), "the ScaledObject asks %q, which counts no requests in flight", query)
		for name, value := range j.spec.Telemetry.Selector {
			matcher := name + "=" + strconv.Quote(value)
			j.want(strings.Contains(query, matcher), "the ScaledObject asks %q, without %s", query, matcher)
		}
		if environment := j.environment(); environment != "" {
			matcher := j.spec.Telemetry.EnvironmentLabel + "=" + strconv.Quote(environment)
			j.want(strings.Contains(query, matcher), "the ScaledObject of %s asks %q, which counts every environment", environment, query)
		}
	}
}

// environment is that of an overlay; the base has none.
func (j *judge) environment() string {
	return j.deployment.Spec.Template.Labels["deployment.environment.name"]
}

// value is a variable that is set in the manifest.
func (j *judge) value(name string) string {
	for _, e := range j.main.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// grace adds up what a stop may take. The sleep, the process and the margin
// have to fit into what the kernel leaves.
func (j *judge) grace() {
	g := j.spec.Deploy.Grace
	sleeps := j.main.Lifecycle != nil && j.main.Lifecycle.PreStop != nil && j.main.Lifecycle.PreStop.Sleep != nil
	j.want(sleeps, "no native sleep comes before the stop")
	j.want(j.pod.TerminationGracePeriodSeconds != nil, "the grace period is left to the default")
	if !sleeps || j.pod.TerminationGracePeriodSeconds == nil {
		return
	}
	sleep := time.Duration(j.main.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	period := time.Duration(*j.pod.TerminationGracePeriodSeconds) * time.Second
	stop, err := time.ParseDuration(j.value("STOP_TIMEOUT"))
	j.want(err == nil, "STOP_TIMEOUT: %v", err)
	margin := time.Duration(g.Margin)
	j.want(sleep+stop+margin <= period, "sleep %s + STOP_TIMEOUT %s + margin %s is more than the grace period of %s", sleep, stop, margin, period)
	j.want(sleep == time.Duration(g.PreStop), "the sleep is %s, the spec's %s", sleep, time.Duration(g.PreStop))
	j.want(stop == time.Duration(g.Drain+g.Stop+g.Flush), "STOP_TIMEOUT is %s, the spec's parts are %s", stop, time.Duration(g.Drain+g.Stop+g.Flush))
	j.want(period == time.Duration(g.Period), "the grace period is %s, the spec's %s", period, time.Duration(g.Period))
	delay, err := time.ParseDuration(j.value("DRAIN_DELAY"))
	j.want(err == nil && delay == 0, "the process waits %s more after the sleep", j.value("DRAIN_DELAY"))
}

// port finds a container's port by the reference of something else.
func (j *judge) port(reference intstr.IntOrString) int32 {
	if reference.Type == intstr.Int {
		return reference.IntVal
	}
	for _, p := range j.main.Ports {
		if p.Name == reference.StrVal {
			return p.ContainerPort
		}
	}
	return 0
}

func (j *judge) admin() int32 {
	n, err := strconv.ParseInt(j.spec.AdminPort(), 10, 32)
	j.want(err == nil, "admin port: %v", err)
	return int32(n)
}

func (j *judge) ports() {
	names, numbers := map[string]int{}, map[int32]int{}
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		for _, p := range c.Ports {
			names[p.Name]++
			numbers[p.ContainerPort]++
		}
	}
	for name, n := range names {
		j.want(n == 1 && name != "", "%d ports have the name %q", n, name)
	}
	for number, n := range numbers {
		j.want(n == 1, "%d ports have the number %d", n, number)
	}
	j.want(j.port(intstr.FromString("http")) == j.spec.HTTP.Port, "requests go to port %d, the spec's is %d", j.port(intstr.FromString("http")), j.spec.HTTP.Port)
	j.want(j.value("ADMIN_ADDR") == ":"+j.spec.AdminPort(), "the admin listener is at %q, where no probe comes", j.value("ADMIN_ADDR"))
	served := map[string]bool{}
	for _, p := range j.service.Spec.Ports {
		j.want(!served[p.Name], "two ports of the Service have the name %s", p.Name)
		served[p.Name] = true
		j.want(slices.ContainsFunc(j.main.Ports, func(c corev1.ContainerPort) bool { return c.Name == p.TargetPort.StrVal && c.ContainerPort > 0 }),
			"the Service's port %s leads to %q, which no container has", p.Name, p.TargetPort.String())
	}
	j.want(served["http"], "the Service does not serve requests")
	j.want(served["admin"] == j.spec.Scraped(), "the Service serves the admin port: %t, a scraper reads it: %t", served["admin"], j.spec.Scraped())
}

func (j *judge) probes() {
	paths := map[string]string{}
	for name, probe := range map[string]*corev1.Probe{
		"/startupz": j.main.StartupProbe, "/readyz": j.main.ReadinessProbe, "/livez": j.main.LivenessProbe,
	} {
		if probe == nil || probe.HTTPGet == nil {
			j.want(false, "nothing probes %s", name)
			continue
		}
		j.want(probe.HTTPGet.Path == name, "the probe of %s asks %s", name, probe.HTTPGet.Path)
		j.want(paths[probe.HTTPGet.Path] == "", "two probes ask %s", probe.HTTPGet.Path)
		paths[probe.HTTPGet.Path] = name
		j.want(j.port(probe.HTTPGet.Port) == j.admin(), "the probe of %s asks port %s, which is not the admin listener's", name, probe.HTTPGet.Port.String())
		j.want(probe.TimeoutSeconds >= 1 && probe.PeriodSeconds >= probe.TimeoutSeconds, "the probe of %s may overlap itself", name)
	}
}

func (j *judge) resources() {
	spec := j.spec.Deploy.Resources
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		for name, request := range c.Resources.Requests {
			limit, limited := c.Resources.Limits[name]
			j.want(!limited || limit.Cmp(request) >= 0, "%s requests %s of %s and is limited to %s", c.Name, request.String(), name, limit.String())
		}
		_, limited := c.Resources.Limits[corev1.ResourceCPU]
		j.want(!limited, "%s is held up by a limit on CPU", c.Name)
		cpu, err := resource.ParseQuantity(string(spec.CPU))
		j.want(err == nil && c.Resources.Requests.Cpu().Cmp(cpu) == 0, "%s requests %s of CPU, the spec's is %s", c.Name, c.Resources.Requests.Cpu(), spec.CPU)
		memory, err := resource.ParseQuantity(string(spec.Memory))
		j.want(err == nil && c.Resources.Limits.Memory().Cmp(memory) == 0, "%s is limited to %s of memory, the spec's is %s", c.Name, c.Resources.Limits.Memory(), spec.Memory)
		request := c.Resources.Requests.Memory().Value()
		j.want(request*10 <= memory.Value()*9 && request*10 > memory.Value()*9-10<<20, "%s requests %d bytes of memory, which is not nine tenths of %s", c.Name, request, spec.Memory)
	}
	for variable, field := range map[string]string{"GOMAXPROCS": "requests.cpu", "GOMEMLIMIT": "requests.memory"} {
		at := slices.IndexFunc(j.main.Env, func(e corev1.EnvVar) bool { return e.Name == variable })
		j.want(at >= 0 && j.main.Env[at].ValueFrom != nil && j.main.Env[at].ValueFrom.ResourceFieldRef != nil &&
			j.main.Env[at].ValueFrom.ResourceFieldRef.Resource == field && j.main.Env[at].ValueFrom.ResourceFieldRef.Divisor.Cmp(resource.MustParse("1")) == 0,
			"%s does not follow %s", variable, field)
	}
}

// security asks the checks that the API server itself makes of pods.
func (j *judge) security() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		j.want(false, "%v", err)
		return
	}
	template := j.deployment.Spec.Template
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &template.ObjectMeta, &template.Spec))
	j.want(result.Allowed, "PodSecurity restricted forbids the pods: %s", result.ForbiddenDetail())
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		j.want(c.SecurityContext != nil && c.SecurityContext.ReadOnlyRootFilesystem != nil && *c.SecurityContext.ReadOnlyRootFilesystem, "%s may write to its image", c.Name)
		j.want(strings.HasPrefix(c.Image, j.spec.Deploy.Image+":"), "%s runs %s, the spec's image is %s", c.Name, c.Image, j.spec.Deploy.Image)
	}
	j.want(j.pod.SecurityContext.RunAsUser != nil && *j.pod.SecurityContext.RunAsUser > 0, "the pods run as whom the image says")
	account := j.Accounts[0]
	j.want(account.Name == j.pod.ServiceAccountName, "the pods run as the account %q, which is not there", j.pod.ServiceAccountName)
	for what, mounted := range map[string]*bool{"the ServiceAccount": account.AutomountServiceAccountToken, "the pods": j.pod.AutomountServiceAccountToken} {
		j.want(mounted != nil && !*mounted, "a token of the API server lies in %s", what)
	}
}

// secretive are the words of variables whose value nobody should read.
var secretive = []string{"TOKEN", "PASSWORD", "SECRET", "POSTGRES_URL", "KEY"}

func (j *judge) secrets() {
	isSecret := func(name string) bool {
		return slices.ContainsFunc(secretive, func(word string) bool { return strings.Contains(name, word) })
	}
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		for _, e := range c.Env {
			byReference := e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil
			j.want(!isSecret(e.Name) || byReference, "%s of %s is no reference to a Secret", e.Name, c.Name)
		}
	}
	for _, m := range j.ConfigMaps {
		for name := range m.Data {
			j.want(!isSecret(name), "%s stands in the ConfigMap %s", name, m.Name)
		}
	}
	needs := slices.ContainsFunc(j.main.Env, func(e corev1.EnvVar) bool { return e.Name == "POSTGRES_URL" })
	j.want(needs == (j.spec.Components.Postgres != nil), "POSTGRES_URL is set: %t", needs)
	for _, from := range j.main.EnvFrom {
		if from.ConfigMapRef == nil || j.environment() == "" {
			continue
		}
		j.want(slices.ContainsFunc(j.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == from.ConfigMapRef.Name }),
			"the configuration %s is not there", from.ConfigMapRef.Name)
	}
}

func (j *judge) budget() {
	b := j.Budgets[0].Spec
	j.want(b.MinAvailable == nil && b.MaxUnavailable != nil && *b.MaxUnavailable == intstr.FromInt32(1), "the PodDisruptionBudget allows %v away and wants %v", b.MaxUnavailable, b.MinAvailable)
	j.want(b.UnhealthyPodEvictionPolicy != nil && *b.UnhealthyPodEvictionPolicy == "AlwaysAllow", "a pod that serves nobody keeps its machine from being drained")
}

func (j *judge) monitor() {
	if !j.spec.Scraped() {
		j.want(len(j.Monitors) == 0, "a scraper reads metrics that are pushed")
		return
	}
	if len(j.Monitors) != 1 || len(j.Monitors[0].Spec.Endpoints) != 1 {
		j.want(false, "want one ServiceMonitor with one endpoint")
		return
	}
	m := j.Monitors[0]
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	j.want(err == nil && !selector.Empty() && selector.Matches(labels.Set(j.service.Labels)), "the ServiceMonitor does not find the Service")
	for key, value := range j.spec.WithMonitoring() {
		j.want(m.Labels[key] == value, "the operator does not find the ServiceMonitor: no label %s=%s", key, value)
	}
	endpoint := m.Spec.Endpoints[0]
	j.want(slices.ContainsFunc(j.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == endpoint.Port && j.port(p.TargetPort) == j.admin() }),
		"the ServiceMonitor scrapes the port %q", endpoint.Port)
	j.want(endpoint.Path == "/metrics", "the ServiceMonitor scrapes %s", endpoint.Path)
	interval, err := parsePromDuration(string(endpoint.Interval))
	j.want(err == nil && interval == time.Duration(j.spec.Telemetry.ScrapeInterval), "the ServiceMonitor scrapes every %s, the rules count on %s", endpoint.Interval, time.Duration(j.spec.Telemetry.ScrapeInterval))
	written := map[string]string{}
	for _, r := range endpoint.RelabelConfigs {
		if r.Replacement != nil {
			written[r.TargetLabel] = strings.ReplaceAll(*r.Replacement, "$$", "$")
		} else if len(r.SourceLabels) == 1 {
			written[r.TargetLabel] = string(r.SourceLabels[0])
		}
	}
	want := maps.Clone(j.spec.Telemetry.Selector)
	want[j.spec.Telemetry.EnvironmentLabel] = "__meta_kubernetes_pod_label_deployment_environment_name"
	j.want(maps.Equal(written, want), "scraped series get the labels %v, rules look for %v", written, want)
	native := j.spec.Telemetry.Histograms != "classic"
	reads := m.Spec.ScrapeNativeHistograms != nil && *m.Spec.ScrapeNativeHistograms
	j.want(native == reads, "the spec has native histograms: %t, the scraper reads them: %t", native, reads)
}

// parsePromDuration reads minutes and seconds, which is what scrapes have.
func parsePromDuration(text string) (time.Duration, error) { return time.ParseDuration(text) }

func (j *judge) route() {
	g := j.spec.Deploy.Gateway
	if g.Host == "" {
		j.want(len(j.Routes) == 0, "an HTTPRoute leads from nowhere")
		return
	}
	if len(j.Routes) != 1 {
		j.want(false, "%d HTTPRoutes, want one", len(j.Routes))
		return
	}
	spec, _ := j.Routes[0].Object["spec"].(map[string]any)
	j.want(fmt.Sprint(spec["hostnames"]) == "["+g.Host+"]", "the HTTPRoute is for %v, the spec's host is %s", spec["hostnames"], g.Host)
	parents, _ := spec["parentRefs"].([]any)
	j.want(len(parents) == 1 && fmt.Sprint(parents[0]) == fmt.Sprintf("map[name:%s namespace:%s]", g.Name, g.Namespace), "the HTTPRoute hangs on %v", parents)
	rules, _ := spec["rules"].([]any)
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		backends, _ := rule["backendRefs"].([]any)
		j.want(len(backends) == 1, "the HTTPRoute leads to %v", backends)
		for _, b := range backends {
			backend, _ := b.(map[string]any)
			port, _ := backend["port"].(int64)
			j.want(backend["name"] == j.service.Name && slices.ContainsFunc(j.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == "http" && int64(p.Port) == port }),
				"the HTTPRoute leads to %v, which serves no requests", backend)
		}
	}
	j.want(len(rules) == 1, "the HTTPRoute has %d rules", len(rules))
}
