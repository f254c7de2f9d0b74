package manifests

import (
	"fmt"
	"reflect"
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

// Check returns the problems of the objects of deploy/base, or of an overlay,
// for a service with the spec.
func (s Set) Check(spec generated.Spec) []string {
	if len(s.Deployments) != 1 || len(s.Services) != 1 || len(s.Accounts) != 1 || len(s.Budgets) != 1 {
		return []string{fmt.Sprintf("%d Deployments, %d Services, %d ServiceAccounts and %d PodDisruptionBudgets, want one of each",
			len(s.Deployments), len(s.Services), len(s.Accounts), len(s.Budgets))}
	}
	ch := &checker{Set: s, spec: spec, deployment: s.Deployments[0], service: s.Services[0]}
	ch.pod = ch.deployment.Spec.Template.Spec
	for i, container := range ch.pod.Containers {
		if container.Name == spec.Service {
			ch.main = &ch.pod.Containers[i]
		}
	}
	if ch.main == nil {
		return []string{"no container has the name of the service"}
	}
	ch.selectors()
	ch.rollout()
	ch.autoscaler()
	ch.grace()
	ch.ports()
	ch.probes()
	ch.resources()
	ch.security()
	ch.secrets()
	ch.budget()
	ch.monitor()
	ch.route()
	ch.policies()
	return ch.problems
}

type checker struct {
	Set

	spec       generated.Spec
	deployment appsv1.Deployment
	service    corev1.Service
	pod        corev1.PodSpec
	main       *corev1.Container
	problems   []string
}

func (ch *checker) wantf(fine bool, format string, args ...any) {
	if !fine {
		ch.problems = append(ch.problems, fmt.Sprintf(format, args...))
	}
}

// picks checks that the selector matches the pods. An empty one would match all
// pods of the namespace.
func (ch *checker) picks(what string, selector *metav1.LabelSelector) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	ch.wantf(err == nil && !s.Empty() && s.Matches(labels.Set(ch.deployment.Spec.Template.Labels)),
		"the selector of %s does not match the pods' labels", what)
}

func (ch *checker) selectors() {
	ch.picks("the Deployment", ch.deployment.Spec.Selector)
	ch.picks("the Service", &metav1.LabelSelector{MatchLabels: ch.service.Spec.Selector})
	ch.picks("the PodDisruptionBudget", ch.Budgets[0].Spec.Selector)
	for _, p := range ch.Policies {
		ch.picks("the NetworkPolicy "+p.Name, &p.Spec.PodSelector)
	}
	for _, c := range ch.pod.TopologySpreadConstraints {
		ch.picks("the spread over "+c.TopologyKey, c.LabelSelector)
		ch.wantf(slices.Contains(c.MatchLabelKeys, "pod-template-hash"), "the spread over %s counts the pods of the old revision: add pod-template-hash to matchLabelKeys", c.TopologyKey)
	}
	var keys []string
	for _, c := range ch.pod.TopologySpreadConstraints {
		keys = append(keys, c.TopologyKey)
	}
	ch.wantf(slices.Equal(keys, []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"}), "pods are spread over %q", keys)
}

// rolloutTimeout is the default of ROLLOUT_TIMEOUT in ./ci, in seconds.
const rolloutTimeout = 600

func (ch *checker) rollout() {
	ch.wantf(ch.deployment.Spec.Replicas == nil, "spec.replicas is set, but the autoscaler sets it")
	rolling := ch.deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable == nil || rolling.MaxSurge == nil {
		ch.wantf(false, "the strategy has no maxUnavailable and maxSurge; the defaults stop pods first")
		return
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxSurge, int(ch.spec.Deploy.Replicas.Min), true)
	ch.wantf(*rolling.MaxUnavailable == intstr.FromInt32(0), "a rollout makes %v pods unavailable, want 0", rolling.MaxUnavailable)
	ch.wantf(err == nil && surge > 0, "a rollout may not add pods, and cannot progress")
	if deadline := ch.deployment.Spec.ProgressDeadlineSeconds; deadline != nil {
		slowest := int64(ch.main.StartupProbe.PeriodSeconds*ch.main.StartupProbe.FailureThreshold) + int64(ch.deployment.Spec.MinReadySeconds)
		ch.wantf(int64(*deadline) > slowest, "progressDeadlineSeconds is %d, but a start may take %d s", *deadline, slowest)
		ch.wantf(*deadline >= rolloutTimeout, "progressDeadlineSeconds is %d: ./ci deploy waits for %d s", *deadline, rolloutTimeout)
	}
}

// environment returns the environment of an overlay; the base has none.
func (ch *checker) environment() string {
	return ch.deployment.Spec.Template.Labels["deployment.environment.name"]
}

// value returns the value of an environment variable of the main container.
func (ch *checker) value(name string) string {
	for _, e := range ch.main.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// grace checks that preStop sleep, stop of the process and margin fit into the
// grace period.
func (ch *checker) grace() {
	g := ch.spec.Deploy.Grace
	sleeps := ch.main.Lifecycle != nil && ch.main.Lifecycle.PreStop != nil && ch.main.Lifecycle.PreStop.Sleep != nil
	ch.wantf(sleeps, "no preStop.sleep")
	ch.wantf(ch.pod.TerminationGracePeriodSeconds != nil, "no terminationGracePeriodSeconds")
	if !sleeps || ch.pod.TerminationGracePeriodSeconds == nil {
		return
	}
	sleep := time.Duration(ch.main.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	period := time.Duration(*ch.pod.TerminationGracePeriodSeconds) * time.Second
	stop, err := time.ParseDuration(ch.value("STOP_TIMEOUT"))
	ch.wantf(err == nil, "STOP_TIMEOUT: %v", err)
	margin := time.Duration(g.Margin)
	ch.wantf(sleep+stop+margin <= period, "sleep %s + STOP_TIMEOUT %s + margin %s is more than the grace period of %s", sleep, stop, margin, period)
	ch.wantf(sleep == time.Duration(g.PreStop), "the sleep is %s, the spec has %s", sleep, time.Duration(g.PreStop))
	ch.wantf(stop == time.Duration(g.Drain+g.Stop+g.Flush), "STOP_TIMEOUT is %s, drain + stop + flush of the spec are %s", stop, time.Duration(g.Drain+g.Stop+g.Flush))
	ch.wantf(period == time.Duration(g.Period), "the grace period is %s, the spec has %s", period, time.Duration(g.Period))
	delay, err := time.ParseDuration(ch.value("DRAIN_DELAY"))
	ch.wantf(err == nil && delay == 0, "DRAIN_DELAY is %q, want 0: the sleep is the delay", ch.value("DRAIN_DELAY"))
}

// port resolves the name or number of a port of the main container; 0 if unknown.
func (ch *checker) port(reference intstr.IntOrString) int32 {
	if reference.Type == intstr.Int {
		return reference.IntVal
	}
	for _, p := range ch.main.Ports {
		if p.Name == reference.StrVal {
			return p.ContainerPort
		}
	}
	return 0
}

func (ch *checker) admin() int32 {
	n, err := strconv.ParseInt(ch.spec.AdminPort(), 10, 32)
	ch.wantf(err == nil, "admin port: %v", err)
	return int32(n)
}

func (ch *checker) ports() {
	names, numbers := map[string]int{}, map[int32]int{}
	for _, c := range slices.Concat(ch.pod.InitContainers, ch.pod.Containers) {
		for _, p := range c.Ports {
			names[p.Name]++
			numbers[p.ContainerPort]++
		}
	}
	for name, n := range names {
		ch.wantf(n == 1 && name != "", "%d ports have the name %q", n, name)
	}
	for number, n := range numbers {
		ch.wantf(n == 1, "%d ports have the number %d", n, number)
	}
	ch.wantf(ch.port(intstr.FromString("http")) == ch.spec.HTTP.Port, "the http port is %d, the spec has %d", ch.port(intstr.FromString("http")), ch.spec.HTTP.Port)
	ch.wantf(ch.value("ADMIN_ADDR") == ":"+ch.spec.AdminPort(), "ADMIN_ADDR is %q, want all addresses and the admin port of the spec", ch.value("ADMIN_ADDR"))
	served := map[string]bool{}
	for _, p := range ch.service.Spec.Ports {
		ch.wantf(!served[p.Name], "two ports of the Service have the name %s", p.Name)
		served[p.Name] = true
		ch.wantf(slices.ContainsFunc(ch.main.Ports, func(c corev1.ContainerPort) bool { return c.Name == p.TargetPort.StrVal && c.ContainerPort > 0 }),
			"the Service's port %s targets %q, which no container has", p.Name, p.TargetPort.String())
	}
	ch.wantf(served["http"], "the Service has no port http")
	ch.wantf(served["admin"] == ch.spec.Scraped(), "the Service has the admin port: %t, it is scraped: %t", served["admin"], ch.spec.Scraped())
}

func (ch *checker) probes() {
	paths := map[string]string{}
	for name, probe := range map[string]*corev1.Probe{
		"/startupz": ch.main.StartupProbe, "/readyz": ch.main.ReadinessProbe, "/livez": ch.main.LivenessProbe,
	} {
		if probe == nil || probe.HTTPGet == nil {
			ch.wantf(false, "no probe of %s", name)
			continue
		}
		ch.wantf(probe.HTTPGet.Path == name, "the probe of %s requests %s", name, probe.HTTPGet.Path)
		ch.wantf(paths[probe.HTTPGet.Path] == "", "two probes request %s", probe.HTTPGet.Path)
		paths[probe.HTTPGet.Path] = name
		ch.wantf(ch.port(probe.HTTPGet.Port) == ch.admin(), "the probe of %s uses port %s, which is not the admin port", name, probe.HTTPGet.Port.String())
		ch.wantf(probe.TimeoutSeconds >= 1 && probe.PeriodSeconds >= probe.TimeoutSeconds, "the probe of %s has a timeout longer than its period, or none", name)
	}
}

func (ch *checker) resources() {
	spec := ch.spec.Deploy.Resources
	for _, c := range slices.Concat(ch.pod.InitContainers, ch.pod.Containers) {
		for name, request := range c.Resources.Requests {
			limit, limited := c.Resources.Limits[name]
			ch.wantf(!limited || limit.Cmp(request) >= 0, "%s requests %s of %s and is limited to %s", c.Name, request.String(), name, limit.String())
		}
		_, limited := c.Resources.Limits[corev1.ResourceCPU]
		ch.wantf(!limited, "%s has a CPU limit, which throttles it", c.Name)
		cpu, err := resource.ParseQuantity(string(spec.CPU))
		ch.wantf(err == nil && c.Resources.Requests.Cpu().Cmp(cpu) == 0, "%s requests %s of CPU, the spec has %s", c.Name, c.Resources.Requests.Cpu(), spec.CPU)
		memory, err := resource.ParseQuantity(string(spec.Memory))
		ch.wantf(err == nil && c.Resources.Limits.Memory().Cmp(memory) == 0, "%s is limited to %s of memory, the spec has %s", c.Name, c.Resources.Limits.Memory(), spec.Memory)
		request := c.Resources.Requests.Memory().Value()
		ch.wantf(request*10 <= memory.Value()*9 && request*10 > memory.Value()*9-10<<20, "%s requests %d bytes of memory, want nine tenths of %s", c.Name, request, spec.Memory)
	}
	for variable, field := range map[string]string{"GOMAXPROCS": "requests.cpu", "GOMEMLIMIT": "requests.memory"} {
		at := slices.IndexFunc(ch.main.Env, func(e corev1.EnvVar) bool { return e.Name == variable })
		ch.wantf(at >= 0 && ch.main.Env[at].ValueFrom != nil && ch.main.Env[at].ValueFrom.ResourceFieldRef != nil &&
			ch.main.Env[at].ValueFrom.ResourceFieldRef.Resource == field && ch.main.Env[at].ValueFrom.ResourceFieldRef.Divisor.Cmp(resource.MustParse("1")) == 0,
			"%s is not set from %s", variable, field)
	}
}

// security runs the PodSecurity checks of the API server.
func (ch *checker) security() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		ch.wantf(false, "%v", err)
		return
	}
	template := ch.deployment.Spec.Template
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &template.ObjectMeta, &template.Spec))
	ch.wantf(result.Allowed, "PodSecurity restricted forbids the pods: %s", result.ForbiddenDetail())
	for _, c := range slices.Concat(ch.pod.InitContainers, ch.pod.Containers) {
		ch.wantf(c.SecurityContext != nil && c.SecurityContext.ReadOnlyRootFilesystem != nil && *c.SecurityContext.ReadOnlyRootFilesystem, "%s has a writable root file system", c.Name)
		ch.wantf(strings.HasPrefix(c.Image, ch.spec.Deploy.Image+":"), "%s runs %s, the spec's image is %s", c.Name, c.Image, ch.spec.Deploy.Image)
	}
	ch.wantf(ch.pod.SecurityContext.RunAsUser != nil && *ch.pod.SecurityContext.RunAsUser > 0, "the pods have no runAsUser above 0, so they run as the user of the image")
	account := ch.Accounts[0]
	ch.wantf(account.Name == ch.pod.ServiceAccountName, "the pods run as the ServiceAccount %q, which does not exist", ch.pod.ServiceAccountName)
	for what, mounted := range map[string]*bool{"the ServiceAccount": account.AutomountServiceAccountToken, "the pods": ch.pod.AutomountServiceAccountToken} {
		ch.wantf(mounted != nil && !*mounted, "%s must not mount a token of the API server", what)
	}
}

// secretWords are parts of the names of environment variables with secret values.
var secretWords = []string{"TOKEN", "PASSWORD", "SECRET", "POSTGRES_URL", "KEY"}

func (ch *checker) secrets() {
	isSecret := func(name string) bool {
		return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
	}
	for _, c := range slices.Concat(ch.pod.InitContainers, ch.pod.Containers) {
		for _, e := range c.Env {
			byReference := e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil
			ch.wantf(!isSecret(e.Name) || byReference, "%s of %s must reference a Secret", e.Name, c.Name)
		}
	}
	for _, m := range ch.ConfigMaps {
		for name := range m.Data {
			ch.wantf(!isSecret(name), "%s is in the ConfigMap %s, want a Secret", name, m.Name)
		}
	}
	needs := slices.ContainsFunc(ch.main.Env, func(e corev1.EnvVar) bool { return e.Name == "POSTGRES_URL" })
	ch.wantf(needs == (ch.spec.Components.Postgres != nil), "POSTGRES_URL is set: %t", needs)
	for _, c := range ch.pod.InitContainers {
		ch.wantf(reflect.DeepEqual(c.EnvFrom, ch.main.EnvFrom), "%s does not have the environment variables of the overlay", c.Name)
	}
	for _, from := range ch.main.EnvFrom {
		if from.ConfigMapRef == nil || ch.environment() == "" {
			continue
		}
		ch.wantf(slices.ContainsFunc(ch.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == from.ConfigMapRef.Name }),
			"the ConfigMap %s does not exist", from.ConfigMapRef.Name)
	}
}

func (ch *checker) budget() {
	b := ch.Budgets[0].Spec
	ch.wantf(b.MinAvailable == nil && b.MaxUnavailable != nil && *b.MaxUnavailable == intstr.FromInt32(1), "the PodDisruptionBudget has maxUnavailable %v and minAvailable %v, want 1 and none", b.MaxUnavailable, b.MinAvailable)
	ch.wantf(b.UnhealthyPodEvictionPolicy != nil && *b.UnhealthyPodEvictionPolicy == "AlwaysAllow", "an unready pod blocks the drain of its node: set unhealthyPodEvictionPolicy to AlwaysAllow")
}
