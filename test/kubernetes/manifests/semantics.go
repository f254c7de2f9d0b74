package manifests

import (
	"fmt"
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

// Judge returns the problems of the objects of deploy/base, or of an overlay,
// for a service with the spec.
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

func (j *judge) wantf(fine bool, format string, args ...any) {
	if !fine {
		j.problems = append(j.problems, fmt.Sprintf(format, args...))
	}
}

// picks checks that the selector matches the pods. An empty one would match all
// pods of the namespace.
func (j *judge) picks(what string, selector *metav1.LabelSelector) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	j.wantf(err == nil && !s.Empty() && s.Matches(labels.Set(j.deployment.Spec.Template.Labels)),
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
		j.wantf(slices.Contains(c.MatchLabelKeys, "pod-template-hash"), "the spread over %s counts the pods of the old revision: add pod-template-hash to matchLabelKeys", c.TopologyKey)
	}
	var keys []string
	for _, c := range j.pod.TopologySpreadConstraints {
		keys = append(keys, c.TopologyKey)
	}
	j.wantf(slices.Equal(keys, []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"}), "pods are spread over %q", keys)
}

func (j *judge) rollout() {
	j.wantf(j.deployment.Spec.Replicas == nil, "spec.replicas is set, but the autoscaler sets it")
	rolling := j.deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable == nil || rolling.MaxSurge == nil {
		j.wantf(false, "the strategy has no maxUnavailable and maxSurge; the defaults stop pods first")
		return
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxSurge, int(j.spec.Deploy.Replicas.Min), true)
	j.wantf(*rolling.MaxUnavailable == intstr.FromInt32(0), "a rollout makes %v pods unavailable, want 0", rolling.MaxUnavailable)
	j.wantf(err == nil && surge > 0, "a rollout may not add pods, and cannot progress")
	if deadline := j.deployment.Spec.ProgressDeadlineSeconds; deadline != nil {
		slowest := int64(j.main.StartupProbe.PeriodSeconds*j.main.StartupProbe.FailureThreshold) + int64(j.deployment.Spec.MinReadySeconds)
		j.wantf(int64(*deadline) > slowest, "progressDeadlineSeconds is %d, but a start may take %d s", *deadline, slowest)
	}
}

// environment returns the environment of an overlay; the base has none.
func (j *judge) environment() string {
	return j.deployment.Spec.Template.Labels["deployment.environment.name"]
}

// value returns the value of an environment variable of the main container.
func (j *judge) value(name string) string {
	for _, e := range j.main.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// grace checks that preStop sleep, stop of the process and margin fit into the
// grace period.
func (j *judge) grace() {
	g := j.spec.Deploy.Grace
	sleeps := j.main.Lifecycle != nil && j.main.Lifecycle.PreStop != nil && j.main.Lifecycle.PreStop.Sleep != nil
	j.wantf(sleeps, "no preStop.sleep")
	j.wantf(j.pod.TerminationGracePeriodSeconds != nil, "no terminationGracePeriodSeconds")
	if !sleeps || j.pod.TerminationGracePeriodSeconds == nil {
		return
	}
	sleep := time.Duration(j.main.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	period := time.Duration(*j.pod.TerminationGracePeriodSeconds) * time.Second
	stop, err := time.ParseDuration(j.value("STOP_TIMEOUT"))
	j.wantf(err == nil, "STOP_TIMEOUT: %v", err)
	margin := time.Duration(g.Margin)
	j.wantf(sleep+stop+margin <= period, "sleep %s + STOP_TIMEOUT %s + margin %s is more than the grace period of %s", sleep, stop, margin, period)
	j.wantf(sleep == time.Duration(g.PreStop), "the sleep is %s, the spec has %s", sleep, time.Duration(g.PreStop))
	j.wantf(stop == time.Duration(g.Drain+g.Stop+g.Flush), "STOP_TIMEOUT is %s, drain + stop + flush of the spec are %s", stop, time.Duration(g.Drain+g.Stop+g.Flush))
	j.wantf(period == time.Duration(g.Period), "the grace period is %s, the spec has %s", period, time.Duration(g.Period))
	delay, err := time.ParseDuration(j.value("DRAIN_DELAY"))
	j.wantf(err == nil && delay == 0, "DRAIN_DELAY is %q, want 0: the sleep is the delay", j.value("DRAIN_DELAY"))
}

// port resolves the name or number of a port of the main container; 0 if unknown.
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
	j.wantf(err == nil, "admin port: %v", err)
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
		j.wantf(n == 1 && name != "", "%d ports have the name %q", n, name)
	}
	for number, n := range numbers {
		j.wantf(n == 1, "%d ports have the number %d", n, number)
	}
	j.wantf(j.port(intstr.FromString("http")) == j.spec.HTTP.Port, "the http port is %d, the spec has %d", j.port(intstr.FromString("http")), j.spec.HTTP.Port)
	j.wantf(j.value("ADMIN_ADDR") == ":"+j.spec.AdminPort(), "ADMIN_ADDR is %q, want all addresses and the admin port of the spec", j.value("ADMIN_ADDR"))
	served := map[string]bool{}
	for _, p := range j.service.Spec.Ports {
		j.wantf(!served[p.Name], "two ports of the Service have the name %s", p.Name)
		served[p.Name] = true
		j.wantf(slices.ContainsFunc(j.main.Ports, func(c corev1.ContainerPort) bool { return c.Name == p.TargetPort.StrVal && c.ContainerPort > 0 }),
			"the Service's port %s targets %q, which no container has", p.Name, p.TargetPort.String())
	}
	j.wantf(served["http"], "the Service has no port http")
	j.wantf(served["admin"] == j.spec.Scraped(), "the Service has the admin port: %t, it is scraped: %t", served["admin"], j.spec.Scraped())
}

func (j *judge) probes() {
	paths := map[string]string{}
	for name, probe := range map[string]*corev1.Probe{
		"/startupz": j.main.StartupProbe, "/readyz": j.main.ReadinessProbe, "/livez": j.main.LivenessProbe,
	} {
		if probe == nil || probe.HTTPGet == nil {
			j.wantf(false, "no probe of %s", name)
			continue
		}
		j.wantf(probe.HTTPGet.Path == name, "the probe of %s requests %s", name, probe.HTTPGet.Path)
		j.wantf(paths[probe.HTTPGet.Path] == "", "two probes request %s", probe.HTTPGet.Path)
		paths[probe.HTTPGet.Path] = name
		j.wantf(j.port(probe.HTTPGet.Port) == j.admin(), "the probe of %s uses port %s, which is not the admin port", name, probe.HTTPGet.Port.String())
		j.wantf(probe.TimeoutSeconds >= 1 && probe.PeriodSeconds >= probe.TimeoutSeconds, "the probe of %s has a timeout longer than its period, or none", name)
	}
}

func (j *judge) resources() {
	spec := j.spec.Deploy.Resources
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		for name, request := range c.Resources.Requests {
			limit, limited := c.Resources.Limits[name]
			j.wantf(!limited || limit.Cmp(request) >= 0, "%s requests %s of %s and is limited to %s", c.Name, request.String(), name, limit.String())
		}
		_, limited := c.Resources.Limits[corev1.ResourceCPU]
		j.wantf(!limited, "%s has a CPU limit, which throttles it", c.Name)
		cpu, err := resource.ParseQuantity(string(spec.CPU))
		j.wantf(err == nil && c.Resources.Requests.Cpu().Cmp(cpu) == 0, "%s requests %s of CPU, the spec has %s", c.Name, c.Resources.Requests.Cpu(), spec.CPU)
		memory, err := resource.ParseQuantity(string(spec.Memory))
		j.wantf(err == nil && c.Resources.Limits.Memory().Cmp(memory) == 0, "%s is limited to %s of memory, the spec has %s", c.Name, c.Resources.Limits.Memory(), spec.Memory)
		request := c.Resources.Requests.Memory().Value()
		j.wantf(request*10 <= memory.Value()*9 && request*10 > memory.Value()*9-10<<20, "%s requests %d bytes of memory, want nine tenths of %s", c.Name, request, spec.Memory)
	}
	for variable, field := range map[string]string{"GOMAXPROCS": "requests.cpu", "GOMEMLIMIT": "requests.memory"} {
		at := slices.IndexFunc(j.main.Env, func(e corev1.EnvVar) bool { return e.Name == variable })
		j.wantf(at >= 0 && j.main.Env[at].ValueFrom != nil && j.main.Env[at].ValueFrom.ResourceFieldRef != nil &&
			j.main.Env[at].ValueFrom.ResourceFieldRef.Resource == field && j.main.Env[at].ValueFrom.ResourceFieldRef.Divisor.Cmp(resource.MustParse("1")) == 0,
			"%s is not set from %s", variable, field)
	}
}

// security runs the PodSecurity checks of the API server.
func (j *judge) security() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		j.wantf(false, "%v", err)
		return
	}
	template := j.deployment.Spec.Template
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &template.ObjectMeta, &template.Spec))
	j.wantf(result.Allowed, "PodSecurity restricted forbids the pods: %s", result.ForbiddenDetail())
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		j.wantf(c.SecurityContext != nil && c.SecurityContext.ReadOnlyRootFilesystem != nil && *c.SecurityContext.ReadOnlyRootFilesystem, "%s has a writable root file system", c.Name)
		j.wantf(strings.HasPrefix(c.Image, j.spec.Deploy.Image+":"), "%s runs %s, the spec's image is %s", c.Name, c.Image, j.spec.Deploy.Image)
	}
	j.wantf(j.pod.SecurityContext.RunAsUser != nil && *j.pod.SecurityContext.RunAsUser > 0, "the pods have no runAsUser above 0, so they run as the user of the image")
	account := j.Accounts[0]
	j.wantf(account.Name == j.pod.ServiceAccountName, "the pods run as the ServiceAccount %q, which does not exist", j.pod.ServiceAccountName)
	for what, mounted := range map[string]*bool{"the ServiceAccount": account.AutomountServiceAccountToken, "the pods": j.pod.AutomountServiceAccountToken} {
		j.wantf(mounted != nil && !*mounted, "%s must not mount a token of the API server", what)
	}
}

// secretWords are parts of the names of environment variables with secret values.
var secretWords = []string{"TOKEN", "PASSWORD", "SECRET", "POSTGRES_URL", "KEY"}

func (j *judge) secrets() {
	isSecret := func(name string) bool {
		return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
	}
	for _, c := range slices.Concat(j.pod.InitContainers, j.pod.Containers) {
		for _, e := range c.Env {
			byReference := e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil
			j.wantf(!isSecret(e.Name) || byReference, "%s of %s must reference a Secret", e.Name, c.Name)
		}
	}
	for _, m := range j.ConfigMaps {
		for name := range m.Data {
			j.wantf(!isSecret(name), "%s is in the ConfigMap %s, want a Secret", name, m.Name)
		}
	}
	needs := slices.ContainsFunc(j.main.Env, func(e corev1.EnvVar) bool { return e.Name == "POSTGRES_URL" })
	j.wantf(needs == (j.spec.Components.Postgres != nil), "POSTGRES_URL is set: %t", needs)
	for _, from := range j.main.EnvFrom {
		if from.ConfigMapRef == nil || j.environment() == "" {
			continue
		}
		j.wantf(slices.ContainsFunc(j.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == from.ConfigMapRef.Name }),
			"the ConfigMap %s does not exist", from.ConfigMapRef.Name)
	}
}

func (j *judge) budget() {
	b := j.Budgets[0].Spec
	j.wantf(b.MinAvailable == nil && b.MaxUnavailable != nil && *b.MaxUnavailable == intstr.FromInt32(1), "the PodDisruptionBudget has maxUnavailable %v and minAvailable %v, want 1 and none", b.MaxUnavailable, b.MinAvailable)
	j.wantf(b.UnhealthyPodEvictionPolicy != nil && *b.UnhealthyPodEvictionPolicy == "AlwaysAllow", "an unready pod blocks the drain of its node: set unhealthyPodEvictionPolicy to AlwaysAllow")
}
