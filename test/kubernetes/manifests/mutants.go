package manifests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Mutant breaks a generated object. [Types.Check] or [Set.Check] must find
// each mutant; Server and Message are the expected result of a real API server.
type Mutant struct {
	Fault   string
	Kind    string
	Broken  func(o map[string]any)
	Noticed string // part of the problem that the checks report
	Server  Verdict
	Message string // part of the server's message
}

// Verdict is what a server does with an object.
type Verdict string

// The verdicts.
const (
	Rejects Verdict = "rejects"
	Warns   Verdict = "accepts, with a warning"
	Accepts Verdict = "accepts"
)

// Apply returns the object with the fault.
func (m Mutant) Apply(o *unstructured.Unstructured) *unstructured.Unstructured {
	broken := o.DeepCopy()
	m.Broken(broken.Object)
	return broken
}

// Mutants returns all mutants. The API server accepts some of them; only the
// checks of this package find those.
func Mutants() []Mutant {
	return slices.Concat(ofPods(), ofStrategy(), ofNumbers(), ofConnections(), ofCustomResources())
}

const container = "spec.template.spec.containers.0."

// ofPods breaks pods.
func ofPods() []Mutant {
	return []Mutant{
		{"unknown field", "Deployment", put(container+"readinesProbe", map[string]any{}), "unknown field", Rejects, "unknown field"},
		{"memory limit below the request", "Deployment", put(container+"resources.limits.memory", "1Mi"), "and is limited to", Rejects, "must be less than or equal to memory limit"},
		{"two ports with the same name", "Deployment", put(container+"ports.1.name", "http"), "ports have the name", Rejects, "Duplicate value"},
		{"no image", "Deployment", remove(container + "image"), "the spec's image", Rejects, "Required value"},
		{"duplicate topology spread key", "Deployment", put("spec.template.spec.topologySpreadConstraints.1.topologyKey", "topology.kubernetes.io/zone"), "pods are spread over", Rejects, "Duplicate value"},
		{"container that runs as root", "Deployment", put(container+"securityContext.runAsUser", int64(0)), "PodSecurity restricted forbids", Warns, "runAsUser=0"},
		{"privilege escalation", "Deployment", put(container+"securityContext.allowPrivilegeEscalation", true), "PodSecurity restricted forbids", Warns, "allowPrivilegeEscalation"},
		{"two ports with the same number", "Deployment", put(container+"ports.1.containerPort", int64(8080)), "ports have the number", Warns, "duplicate port"},
		{"duplicate environment variable", "Deployment", put(container+"env.0.name", "STOP_TIMEOUT"), "STOP_TIMEOUT", Warns, "hides previous definition"},
		{"probe of an unknown port", "Deployment", put(container+"readinessProbe.httpGet.port", "nowhere"), "uses port nowhere", Accepts, ""},
		{"probe of the http port", "Deployment", put(container+"livenessProbe.httpGet.port", "http"), "which is not the admin port", Accepts, ""},
		{"two probes with the same path", "Deployment", put(container+"livenessProbe.httpGet.path", "/readyz"), "the probe of /livez requests /readyz", Accepts, ""},
		{"literal secret", "Deployment", literal(container+"env", "ADMIN_TOKEN"), "must reference a Secret", Accepts, ""},
		{"CPU limit", "Deployment", put(container+"resources.limits.cpu", "2"), "has a CPU limit", Accepts, ""},
		{"API server token in the pods", "Deployment", put("spec.template.spec.automountServiceAccountToken", true), "the pods must not mount a token of the API server", Accepts, ""},
		{"misspelled GOMAXPROCS", "Deployment", rename(container+"env", "GOMAXPROCS", "GOMAXPROC"), "GOMAXPROCS is not set from", Accepts, ""},
	}
}

// ofStrategy breaks rollouts and shutdown.
func ofStrategy() []Mutant {
	return []Mutant{
		{"selector that does not match the pods", "Deployment", put("spec.template.metadata.labels", map[string]any{"app": "other"}), "the selector of the Deployment", Rejects, "`selector` does not match template `labels`"},
		{"preStop sleep as long as the grace period", "Deployment", put(container+"lifecycle.preStop.sleep.seconds", int64(3600)), "is more than the grace period", Rejects, "less than terminationGracePeriodSeconds"},
		{"rollout that may neither add nor stop pods", "Deployment", put("spec.strategy.rollingUpdate.maxSurge", int64(0)), "may not add pods", Rejects, "may not be 0 when `maxSurge` is 0"},
		{"progress deadline of 0 s", "Deployment", put("spec.progressDeadlineSeconds", int64(0)), "progressDeadlineSeconds is 0", Rejects, "must be greater than minReadySeconds"},
		{"replicas in spite of an autoscaler", "Deployment", put("spec.replicas", int64(3)), "spec.replicas is set", Accepts, ""},
		{"sleep plus stop longer than the grace period", "Deployment", put("spec.template.spec.terminationGracePeriodSeconds", int64(31)), "is more than the grace period", Accepts, ""},
		{"rollout that stops pods first", "Deployment", put("spec.strategy.rollingUpdate.maxUnavailable", int64(1)), "a rollout makes", Accepts, ""},
	}
}

// ofNumbers breaks autoscalers and disruption budgets.
func ofNumbers() []Mutant {
	return []Mutant{
		{"minimum above maximum", "HorizontalPodAutoscaler", put("spec.maxReplicas", int64(1)), "is above its maximum", Rejects, "must be greater than or equal to `minReplicas`"},
		{"target utilization of 0", "HorizontalPodAutoscaler", put("spec.metrics.0.containerResource.target.averageUtilization", int64(0)), "the autoscaler uses", Rejects, "must be greater than 0"},
		{"unknown target", "HorizontalPodAutoscaler", put("spec.scaleTargetRef.name", "other"), "the autoscaler scales", Accepts, ""},
		{"CPU of an unknown container", "HorizontalPodAutoscaler", put("spec.metrics.0.containerResource.container", "other"), "the autoscaler uses", Accepts, ""},
		{"minAvailable and maxUnavailable", "PodDisruptionBudget", put("spec.minAvailable", int64(2)), "the PodDisruptionBudget has", Rejects, "both set"},
		{"unknown eviction policy", "PodDisruptionBudget", put("spec.unhealthyPodEvictionPolicy", "Always"), "blocks the drain of its node", Rejects, "Unsupported value"},
		{"selector that does not match the pods", "PodDisruptionBudget", put("spec.selector.matchLabels", map[string]any{"app": "other"}), "the selector of the PodDisruptionBudget", Accepts, ""},
	}
}

// ofConnections breaks Services, network policies and accounts.
func ofConnections() []Mutant {
	return []Mutant{
		{"two ports with the same name", "Service", put("spec.ports.1.name", "http"), "two ports of the Service", Rejects, "Duplicate value"},
		{"unknown target port", "Service", put("spec.ports.0.targetPort", "nowhere"), "which no container has", Accepts, ""},
		{"selector that does not match the pods", "Service", put("spec.selector", map[string]any{"app": "other"}), "the selector of the Service", Accepts, ""},
		{"invalid port name", "NetworkPolicy", put("spec.ingress", []any{map[string]any{"ports": []any{map[string]any{"port": "Not_A_Port"}}}}), "policies allow ingress", Rejects, "must contain only"},
		{"selector that does not match the pods", "NetworkPolicy", put("spec.podSelector.matchLabels", map[string]any{"app": "other"}), "the selector of the NetworkPolicy", Accepts, ""},
		{"ingress from everywhere", "NetworkPolicy", put("spec.ingress", []any{map[string]any{}}), "policies allow ingress", Accepts, ""},
		{"API server token of the account", "ServiceAccount", put("automountServiceAccountToken", true), "the ServiceAccount must not mount a token of the API server", Accepts, ""},
	}
}

// ofCustomResources breaks custom resources.
func ofCustomResources() []Mutant {
	return []Mutant{
		{"backend without a port", "HTTPRoute", remove("spec.rules.0.backendRefs.0.port"), "Must have port for Service reference", Rejects, "Must have port for Service reference"},
		{"unknown field", "HTTPRoute", put("spec.rules.0.backends", []any{}), `unknown field "spec.rules[0].backends"`, Rejects, "unknown field"},
		{"unknown backend", "HTTPRoute", put("spec.rules.0.backendRefs.0.name", "other"), "want the http port of the Service", Accepts, ""},
		{"minimum above maximum", "ScaledObject", put("spec.maxReplicaCount", int64(0)), "minReplicaCount must be less than or equal to maxReplicaCount", Rejects, "minReplicaCount must be less than or equal to maxReplicaCount"},
		{"number instead of a string", "ScaledObject", put("spec.triggers.0.metadata.value", int64(70)), "must be of type string", Rejects, "must be of type string"},
		{"unknown target", "ScaledObject", put("spec.scaleTargetRef.name", "other"), "the ScaledObject scales", Accepts, ""},
		{"invalid interval", "ServiceMonitor", put("spec.endpoints.0.interval", "15 s"), "should match", Rejects, "should match"},
		{"unknown field", "ServiceMonitor", put("spec.endpoints.0.intervall", "15s"), "unknown field", Rejects, "unknown field"},
		{"interval that the rules do not assume", "ServiceMonitor", put("spec.endpoints.0.interval", "7s"), "the rules assume", Accepts, ""},
		{"port that the Service does not have", "ServiceMonitor", put("spec.endpoints.0.port", "metrics"), "scrapes the port", Accepts, ""},
		{"selector that does not match the Service", "ServiceMonitor", put("spec.selector.matchLabels", map[string]any{"app": "other"}), "does not select the Service", Accepts, ""},
		{"rule without an expression", "PrometheusRule", remove("spec.groups.0.rules.0.expr"), "Required value", Rejects, "Required value"},
		{"matcher in the syntax of alertmanager.yml", "AlertmanagerConfig", put("spec.route.matchers.0", `service="tried"`), "must be of type object", Rejects, "must be of type object"},
		{"key of alertmanager.yml", "AlertmanagerConfig", put("spec.route.group_by", []any{"service"}), "unknown field", Rejects, "unknown field"},
		{"key of alertmanager.yml in a child route", "AlertmanagerConfig", put("spec.route.routes.0.group_by", []any{"service"}), "unknown field", Accepts, ""},
	}
}

// put sets the value at the dotted path; numbers are indices.
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

// rename changes the name of an item of a list.
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

// literal replaces the reference of an environment variable with a value.
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

// within calls inMap or inList with the parent of the path. It panics on a path
// that does not exist: the table of mutants is wrong.
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
