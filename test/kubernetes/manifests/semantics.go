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

func (j *judge) wantf(fine bool, format string, args ...any) {
	if !fine {
		j.problems = append(j.problems, fmt.Sprintf(format, args...))
	}
}

// picks says whether the selector finds the pods. One that is empty finds all
// others, too.
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
		j.wantf(slices.Contains(c.MatchLabelKeys, "pod-template-hash"), "the spread over %s counts the pods of the revision that leaves", c.TopologyKey)
	}
	var keys []string
	for _, c := range j.pod.TopologySpreadConstraints {
		keys = append(keys, c.TopologyKey)
	}
	j.wantf(slices.Equal(keys, []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"}), "pods are spread over %q", keys)
}

func (j *judge) rollout() {
	j.wantf(j.deployment.Spec.Replicas == nil, "replicas stand beside an autoscaler")
	rolling := j.deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable == nil || rolling.MaxSurge == nil {
		j.wantf(false, "the strategy leaves a roll-out to defaults, which take pods away first")
		return
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxSurge, int(j.spec.Deploy.Replicas.Min), true)
	j.wantf(*rolling.MaxUnavailable == intstr.FromInt32(0), "a roll-out takes %v pods away", rolling.MaxUnavailable)
	j.wantf(err == nil && surge > 0, "a roll-out may add no pod, and so goes nowhere")
	if deadline := j.deployment.Spec.ProgressDeadlineSeconds; deadline != nil {
		slowest := int64(j.main.StartupProbe.PeriodSeconds*j.main.StartupProbe.FailureThreshold) + int64(j.deployment.Spec.MinReadySeconds)
		j.wantf(int64(*deadline) > slowest, "a roll-out is given up after %d s, while a start may take %d s", *deadline, slowest)
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
	j.wantf(sleeps, "no native sleep comes before the stop")
	j.wantf(j.pod.TerminationGracePeriodSeconds != nil, "the grace period is left to the default")
	if !sleeps || j.pod.TerminationGracePeriodSeconds == nil {
		return
	}
	sleep := time.Duration(j.main.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	period := time.Duration(*j.pod.TerminationGracePeriodSeconds) * time.Second
	stop, err := time.ParseDuration(j.value("STOP_TIMEOUT"))
	j.wantf(err == nil, "STOP_TIMEOUT: %v", err)
	margin := time.Duration(g.Margin)
	j.wantf(sleep+stop+margin <= period, "sleep %s + STOP_TIMEOUT %s + margin %s is more than the grace period of %s", sleep, stop, margin, period)
	j.wantf(sleep == time.Duration(g.PreStop), "the sleep is %s, the spec's %s", sleep, time.Duration(g.PreStop))
	j.wantf(stop == time.Duration(g.Drain+g.Stop+g.Flush), "STOP_TIMEOUT is %s, the spec's parts are %s", stop, time.Duration(g.Drain+g.Stop+g.Flush))
	j.wantf(period == time.Duration(g.Period), "the grace period is %s, the spec's %s", period, time.Duration(g.Period))
	delay, err := time.ParseDuration(j.value("DRAIN_DELAY"))
	j.wantf(err == nil && delay == 0, "the process waits %s more after the sleep", j.value("DRAIN_DELAY"))
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
	j.wantf(j.port(intstr.FromString("http")) == j.spec.HTTP.Port, "requests go to port %d, the spec's is %d", j.port(intstr.FromString("http")), j.spec.HTTP.Port)
	j.wantf(j.value("ADMIN_ADDR") == ":"+j.spec.AdminPort(), "the admin listener is at %q, where no probe comes", j.value("ADMIN_ADDR"))
	served := map[string]bool{}
	for _, p := range j.service.Spec.Ports {
		j.wantf(!served[p.Name], "two ports of the Service have the name %s", p.Name)
		served[p.Name] = true
		j.wantf(slices.ContainsFunc(j.main.Ports, func(c corev1.ContainerPort) bool { return c.Name == p.TargetPort.StrVal && c.ContainerPort > 0 }),
			"the Service's port %s leads to %q, which no container has", p.Name, p.TargetPort.String())
	}
	j.wantf(served["http"], "the Service does not serve requests")
	j.wantf(served["admin"] == j.spec.Scraped(), "the Service serves the admin port: %t, a scraper reads it: %t", served["admin"], j.spec.Scraped())
}

func (j *judge) probes() {
	paths := map[string]string{}
	for name, probe := range map[string]*corev1.Probe{
		"/startupz": j.main.StartupProbe, "/readyz": j.main.ReadinessProbe, "/livez": j.main.LivenessProbe,
	} {
		if probe == nil || probe.HTTPGet == nil {
			j.wantf(false, "nothing probes %s", name)
			continue
		}
		j.wantf(probe.HTTPGet.Path == name, "the probe of %s asks %s", name, probe.HTTPGet.Path)
		j.wantf(paths[probe.HTTPGet.Path] == "", "two probes ask %s", probe.HTTPGet.Path)
		paths[probe.HTTPGet.Path] = name
		j.wantf(j.port(probe.HTTPGet.Port) == j.admin(), "the probe of %s asks port %s, which is not the admin listener's", name, probe.HTTPGet.Port.String())
		j.wantf(probe.TimeoutSeconds >= 1 && probe.PeriodSeconds >= probe.TimeoutSeconds, "the probe of %s may overlap itself", name)
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
		j.wantf(!limited, "%s is held up by a limit on CPU", c.Name)
		cpu, err := resource.ParseQuantity(string(spec.CPU))
		j.wantf(err == nil && c.Resources.Requests.Cpu().Cmp(cpu) == 0, "%s requests %s of CPU, the spec's is %s", c.Name, c.Resources.Requests.Cpu(), spec.CPU)
		memory, err := resource.ParseQuantity(string(spec.Memory))
		j.wantf(err == nil && c.Resources.Limits.Memory().Cmp(memory) == 0, "%s is limited to %s of memory, the spec's is %s", c.Name, c.Resources.Limits.Memory(), spec.Memory)
		request := c.Resources.Requests.Memory().Value()
		j.wantf(request*10 <= memory.Value()*9 && request*10 > memory.Value()*9-10<<20, "%s requests %d bytes of memory, which is not nine tenths of %s", c.Name, request, spec.Memory)
	}
	for variable, field := range map[string]string{"GOMAXPROCS": "requests.cpu", "GOMEMLIMIT": "requests.memory"} {
		at := slices.IndexFunc(j.main.Env, func(e corev1.EnvVar) bool { return e.Name == variable })
		j.wantf(at >= 0 && j.main.Env[at].ValueFrom != nil && j.main.Env[at].ValueFrom.ResourceFieldRef != nil &&
			j.main.Env[at].ValueFrom.ResourceFieldRef.Resource == field && j.main.Env[at].ValueFrom.ResourceFieldRef.Divisor.Cmp(resource.MustParse("1")) == 0,
			"%s does not follow %s", variable, field)
	}
}

// security asks the checks that the API server itself makes of pods.
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
		j.wantf(c.SecurityContext != nil && c.SecurityContext.ReadOnlyRootFilesystem != nil && *c.SecurityContext.ReadOnlyRootFilesystem, "%s may write to its image", c.Name)
		j.wantf(strings.HasPrefix(c.Image, j.spec.Deploy.Image+":"), "%s runs %s, the spec's image is %s", c.Name, c.Image, j.spec.Deploy.Image)
	}
	j.wantf(j.pod.SecurityContext.RunAsUser != nil && *j.pod.SecurityContext.RunAsUser > 0, "the pods run as whom the image says")
	account := j.Accounts[0]
	j.wantf(account.Name == j.pod.ServiceAccountName, "the pods run as the account %q, which is not there", j.pod.ServiceAccountName)
	for what, mounted := range map[string]*bool{"the ServiceAccount": account.AutomountServiceAccountToken, "the pods": j.pod.AutomountServiceAccountToken} {
		j.wantf(mounted != nil && !*mounted, "a token of the API server lies in %s", what)
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
			j.wantf(!isSecret(e.Name) || byReference, "%s of %s is no reference to a Secret", e.Name, c.Name)
		}
	}
	for _, m := range j.ConfigMaps {
		for name := range m.Data {
			j.wantf(!isSecret(name), "%s stands in the ConfigMap %s", name, m.Name)
		}
	}
	needs := slices.ContainsFunc(j.main.Env, func(e corev1.EnvVar) bool { return e.Name == "POSTGRES_URL" })
	j.wantf(needs == (j.spec.Components.Postgres != nil), "POSTGRES_URL is set: %t", needs)
	for _, from := range j.main.EnvFrom {
		if from.ConfigMapRef == nil || j.environment() == "" {
			continue
		}
		j.wantf(slices.ContainsFunc(j.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == from.ConfigMapRef.Name }),
			"the configuration %s is not there", from.ConfigMapRef.Name)
	}
}

func (j *judge) budget() {
	b := j.Budgets[0].Spec
	j.wantf(b.MinAvailable == nil && b.MaxUnavailable != nil && *b.MaxUnavailable == intstr.FromInt32(1), "the PodDisruptionBudget allows %v away and wants %v", b.MaxUnavailable, b.MinAvailable)
	j.wantf(b.UnhealthyPodEvictionPolicy != nil && *b.UnhealthyPodEvictionPolicy == "AlwaysAllow", "a pod that serves nobody keeps its machine from being drained")
}
