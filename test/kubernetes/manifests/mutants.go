package manifests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Mutant is a fault that is put into a generated object. [Types.Check] or
// [Set.Judge] notices each, so that they are seen to fail; what a real API server
// says is the other half of the table.
type Mutant struct {
	Fault   string
	Kind    string
	Broken  func(o map[string]any)
	Noticed string // in what is said here
	Server  Verdict
	Says    string // in what the server says
}

// Verdict is what a server does with an object.
type Verdict string

// The verdicts.
const (
	Refuses Verdict = "refuses"
	Warns   Verdict = "accepts, with a warning"
	Accepts Verdict = "accepts"
)

// Apply returns the object with the fault.
func (m Mutant) Apply(o *unstructured.Unstructured) *unstructured.Unstructured {
	broken := o.DeepCopy()
	m.Broken(broken.Object)
	return broken
}

// Mutants are the faults. Those that a server accepts are why the arithmetic is
// done here.
func Mutants() []Mutant {
	return slices.Concat(ofPods(), ofStrategy(), ofNumbers(), ofConnections(), ofCustomResources())
}

const container = "spec.template.spec.containers.0."

// ofPods are faults in what each pod is.
func ofPods() []Mutant {
	return []Mutant{
		{"unknown field", "Deployment", put(container+"readinesProbe", map[string]any{}), "unknown field", Refuses, "unknown field"},
		{"memory limit below the request", "Deployment", put(container+"resources.limits.memory", "1Mi"), "and is limited to", Refuses, "must be less than or equal to memory limit"},
		{"two ports of one name", "Deployment", put(container+"ports.1.name", "http"), "ports have the name", Refuses, "Duplicate value"},
		{"image left out", "Deployment", remove(container + "image"), "the spec's image", Refuses, "Required value"},
		{"spread over one key twice", "Deployment", put("spec.template.spec.topologySpreadConstraints.1.topologyKey", "topology.kubernetes.io/zone"), "pods are spread over", Refuses, "Duplicate value"},
		{"root in the container", "Deployment", put(container+"securityContext.runAsUser", int64(0)), "PodSecurity restricted forbids", Warns, "runAsUser=0"},
		{"privilege escalation", "Deployment", put(container+"securityContext.allowPrivilegeEscalation", true), "PodSecurity restricted forbids", Warns, "allowPrivilegeEscalation"},
		{"two ports of one number", "Deployment", put(container+"ports.1.containerPort", int64(8080)), "ports have the number", Warns, "duplicate port"},
		{"duplicate environment variable", "Deployment", put(container+"env.0.name", "STOP_TIMEOUT"), "STOP_TIMEOUT", Warns, "hides previous definition"},
		{"probe of a port that no container has", "Deployment", put(container+"readinessProbe.httpGet.port", "nowhere"), "asks port nowhere", Accepts, ""},
		{"probe of the port of requests", "Deployment", put(container+"livenessProbe.httpGet.port", "http"), "which is not the admin listener's", Accepts, ""},
		{"two probes of one path", "Deployment", put(container+"livenessProbe.httpGet.path", "/readyz"), "the probe of /livez asks /readyz", Accepts, ""},
		{"secret as a value", "Deployment", literal(container+"env", "ADMIN_TOKEN"), "no reference to a Secret", Accepts, ""},
		{"limit on CPU", "Deployment", put(container+"resources.limits.cpu", "2"), "held up by a limit on CPU", Accepts, ""},
		{"token of the API server in the pods", "Deployment", put("spec.template.spec.automountServiceAccountToken", true), "a token of the API server lies in the pods", Accepts, ""},
		{"GOMAXPROCS of the memory", "Deployment", rename(container+"env", "GOMAXPROCS", "GOMAXPROC"), "GOMAXPROCS does not follow", Accepts, ""},
	}
}

// ofStrategy are faults in how pods come and go.
func ofStrategy() []Mutant {
	return []Mutant{
		{"selector that does not match the pods", "Deployment", put("spec.template.metadata.labels", map[string]any{"app": "other"}), "the selector of the Deployment", Refuses, "`selector` does not match template `labels`"},
		{"preStop sleep as long as the grace period", "Deployment", put(container+"lifecycle.preStop.sleep.seconds", int64(3600)), "is more than the grace period", Refuses, "less than terminationGracePeriodSeconds"},
		{"roll-out that may neither add nor take pods", "Deployment", put("spec.strategy.rollingUpdate.maxSurge", int64(0)), "may add no pod", Refuses, "may not be 0 when `maxSurge` is 0"},
		{"deadline of a roll-out that is over at once", "Deployment", put("spec.progressDeadlineSeconds", int64(0)), "given up after 0 s", Refuses, "must be greater than minReadySeconds"},
		{"replicas beside an autoscaler", "Deployment", put("spec.replicas", int64(3)), "replicas stand beside", Accepts, ""},
		{"sleep and stop longer than the grace period together", "Deployment", put("spec.template.spec.terminationGracePeriodSeconds", int64(31)), "is more than the grace period", Accepts, ""},
		{"roll-out that takes pods away first", "Deployment", put("spec.strategy.rollingUpdate.maxUnavailable", int64(1)), "a roll-out takes", Accepts, ""},
	}
}

// ofNumbers are faults in how many there are.
func ofNumbers() []Mutant {
	return []Mutant{
		{"minimum above maximum", "HorizontalPodAutoscaler", put("spec.maxReplicas", int64(1)), "is above its maximum", Refuses, "must be greater than or equal to `minReplicas`"},
		{"utilization of nothing", "HorizontalPodAutoscaler", put("spec.metrics.0.containerResource.target.averageUtilization", int64(0)), "the autoscaler asks for", Refuses, "must be greater than 0"},
		{"target that is not there", "HorizontalPodAutoscaler", put("spec.scaleTargetRef.name", "other"), "the autoscaler scales", Accepts, ""},
		{"CPU of a container that is not there", "HorizontalPodAutoscaler", put("spec.metrics.0.containerResource.container", "other"), "the autoscaler asks for", Accepts, ""},
		{"both bounds", "PodDisruptionBudget", put("spec.minAvailable", int64(2)), "the PodDisruptionBudget allows", Refuses, "both set"},
		{"policy that does not exist", "PodDisruptionBudget", put("spec.unhealthyPodEvictionPolicy", "Always"), "keeps its machine", Refuses, "Unsupported value"},
		{"selector that does not match the pods", "PodDisruptionBudget", put("spec.selector.matchLabels", map[string]any{"app": "other"}), "the selector of the PodDisruptionBudget", Accepts, ""},
	}
}

// ofConnections are faults in who reaches whom, and as whom.
func ofConnections() []Mutant {
	return []Mutant{
		{"two ports of one name", "Service", put("spec.ports.1.name", "http"), "two ports of the Service", Refuses, "Duplicate value"},
		{"port that no container has", "Service", put("spec.ports.0.targetPort", "nowhere"), "which no container has", Accepts, ""},
		{"selector that does not match the pods", "Service", put("spec.selector", map[string]any{"app": "other"}), "the selector of the Service", Accepts, ""},
		{"port name that cannot be one", "NetworkPolicy", put("spec.ingress", []any{map[string]any{"ports": []any{map[string]any{"port": "Not_A_Port"}}}}), "policies let in", Refuses, "must contain only"},
		{"selector that does not match the pods", "NetworkPolicy", put("spec.podSelector.matchLabels", map[string]any{"app": "other"}), "the selector of the NetworkPolicy", Accepts, ""},
		{"everybody let in", "NetworkPolicy", put("spec.ingress", []any{map[string]any{}}), "policies let in", Accepts, ""},
		{"token of the API server in the account", "ServiceAccount", put("automountServiceAccountToken", true), "a token of the API server lies in the ServiceAccount", Accepts, ""},
	}
}

// ofCustomResources are faults in what others define.
func ofCustomResources() []Mutant {
	return []Mutant{
		{"backend without a port", "HTTPRoute", remove("spec.rules.0.backendRefs.0.port"), "Must have port for Service reference", Refuses, "Must have port for Service reference"},
		{"unknown field", "HTTPRoute", put("spec.rules.0.backends", []any{}), `unknown field "spec.rules[0].backends"`, Refuses, "unknown field"},
		{"backend that is not there", "HTTPRoute", put("spec.rules.0.backendRefs.0.name", "other"), "which serves no requests", Accepts, ""},
		{"minimum above maximum", "ScaledObject", put("spec.maxReplicaCount", int64(0)), "minReplicaCount must be less than or equal to maxReplicaCount", Refuses, "minReplicaCount must be less than or equal to maxReplicaCount"},
		{"number where KEDA reads a text", "ScaledObject", put("spec.triggers.0.metadata.value", int64(70)), "must be of type string", Refuses, "must be of type string"},
		{"target that is not there", "ScaledObject", put("spec.scaleTargetRef.name", "other"), "the ScaledObject scales", Accepts, ""},
		{"interval that is none", "ServiceMonitor", put("spec.endpoints.0.interval", "15 s"), "should match", Refuses, "should match"},
		{"unknown field", "ServiceMonitor", put("spec.endpoints.0.intervall", "15s"), "unknown field", Refuses, "unknown field"},
		{"interval that the rules do not count on", "ServiceMonitor", put("spec.endpoints.0.interval", "7s"), "the rules count on", Accepts, ""},
		{"port that the Service has not", "ServiceMonitor", put("spec.endpoints.0.port", "metrics"), "scrapes the port", Accepts, ""},
		{"selector that does not match the Service", "ServiceMonitor", put("spec.selector.matchLabels", map[string]any{"app": "other"}), "does not find the Service", Accepts, ""},
		{"rule without an expression", "PrometheusRule", remove("spec.groups.0.rules.0.expr"), "Required value", Refuses, "Required value"},
		{"matcher as Alertmanager's own file has it", "AlertmanagerConfig", put("spec.route.matchers.0", `service="tried"`), "must be of type object", Refuses, "must be of type object"},
		{"key of Alertmanager's own file", "AlertmanagerConfig", put("spec.route.group_by", []any{"service"}), "unknown field", Refuses, "unknown field"},
		{"key of Alertmanager's own file in a child route", "AlertmanagerConfig", put("spec.route.routes.0.group_by", []any{"service"}), "unknown field", Accepts, ""},
	}
}

// put sets what the dotted path leads to; numbers are indices.
func put(path string, value any) func(map[string]any) {
	return func(o map[string]any) {
		within(o, path, func(m map[string]any, key string) { m[key] = value }, func(list []any, i int) { list[i] = value })
	}
}

func remove(path string) func(map[string]any) {
	return func(o map[string]any) {
		within(o, path, func(m map[string]any, key string) { delete(m, key) }, nil)
	}
}

// rename gives an item of a list another name.
func rename(path, from, to string) func(map[string]any) {
	return func(o map[string]any) {
		within(o, path, func(m map[string]any, key string) {
			for _, item := range m[key].([]any) {
				if entry := item.(map[string]any); entry["name"] == from {
					entry["name"] = to
				}
			}
		}, nil)
	}
}

// literal gives a variable a value where it had a reference.
func literal(path, name string) func(map[string]any) {
	return func(o map[string]any) {
		within(o, path, func(m map[string]any, key string) {
			for i, item := range m[key].([]any) {
				if item.(map[string]any)["name"] == name {
					m[key].([]any)[i] = map[string]any{"name": name, "value": "s3cret"}
				}
			}
		}, nil)
	}
}

// within finds the parent of what the path leads to. A path that leads nowhere
// is a table to be mended, and panics.
func within(o map[string]any, path string, inMap func(map[string]any, string), inList func([]any, int)) {
	var at any = o
	keys := strings.Split(path, ".")
	for i, key := range keys {
		last := i == len(keys)-1
		switch v := at.(type) {
		case map[string]any:
			if last {
				inMap(v, key)
				return
			}
			at = v[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n >= len(v) {
				panic(fmt.Sprintf("%s: no item %s", path, key))
			}
			if last {
				inList(v, n)
				return
			}
			at = v[n]
		default:
			panic(fmt.Sprintf("%s: nothing at %s", path, key))
		}
	}
}
