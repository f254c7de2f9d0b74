package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/project"
)

func deployFindings(tb testing.TB, t project.Target) string {
	tb.Helper()
	found, err := deployCheck{}.Run(tb.Context(), t)
	if err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

func TestGeneratedOverlaysAreClean(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\n"
	for name, src := range map[string]string{
		"the least":     head,
		"KEDA":          head + "deploy: {autoscale: {source: keda, prometheus: 'http://p.test'}}\n",
		"no Kubernetes": head + "deploy: {platforms: []}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := deployFindings(t, serviceOf(t, src)); got != "" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Each row is a patch that an API server accepts, or refuses without naming the
// line.
func TestOverlaysAreHeldToTheSpec(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\n"
	const keda = head + "deploy: {autoscale: {source: keda, prometheus: 'http://p.test'}}\n"
	const postgres = head + "components: {postgres: {}}\n"
	const spare = head + "components: {postgres: {connections: 20}}\n"
	const at = "deploy/overlays/prod/kustomization.yaml"
	patch := func(kind string, lines ...string) string {
		return "patches:\n  - target: {kind: " + kind + "}\n    patch: |-\n      " + strings.Join(lines, "\n      ") + "\n"
	}
	for _, tt := range []struct{ name, src, overlay, want string }{
		{"a ConfigMap with the name before a rename", head, "configMapGenerator:\n  - name: store-config\n    envs: [config.env]\n",
			at + ":2:11: this overlay generates ConfigMap store-config, but the Deployment uses shop-config; rename it here, and other uses of the old name in this file\n"},
		{"the ConfigMap beside another of the same variables", head, "configMapGenerator:\n  - {name: job-config, envs: [config.env]}\n  - {name: shop-config, envs: [config.env]}\n", ""},
		{"a patch of an object with the name before a rename", head, "patches:\n  - target: {kind: HorizontalPodAutoscaler, name: store}\n    patch: '[{op: replace, path: /spec/minReplicas, value: 2}]'\n",
			at + ":3:60: the patch targets HorizontalPodAutoscaler \"store\", but the service is named \"shop\"; rename the target, or the patch has no effect\n"},
		{"a patch by a pattern", head, "patches:\n  - target: {kind: HorizontalPodAutoscaler, name: sh.*}\n    patch: '[{op: replace, path: /spec/minReplicas, value: 4}]'\n", ""},
		{"bounds that leave none", head, patch("HorizontalPodAutoscaler", "- {op: replace, path: /spec/minReplicas, value: 11}"),
			at + ":4: minReplicas 11 is above maxReplicas 10; the API server rejects the autoscaler\n"},
		{"bounds of KEDA", keda, patch("ScaledObject", "- {op: replace, path: /spec/maxReplicaCount, value: 2}"),
			at + ":4: minReplicaCount 3 is above maxReplicaCount 2; the API server rejects the autoscaler\n"},
		{"both bounds together", head, patch("HorizontalPodAutoscaler", "spec:", "  minReplicas: 20", "  maxReplicas: 40"), ""},
		{"no number", head, patch("HorizontalPodAutoscaler", "spec: {minReplicas: many}"), at + ":4: \"many\" is not a whole number\n"},
		{"replicas beside the autoscaler", head, "replicas: [{name: shop, count: 4}]\n",
			at + ":1: a fixed number of replicas resets the autoscaler at each rollout; remove it and set the bounds of the autoscaler\n"},
		{"a patch of replicas", head, patch("Deployment", "spec: {replicas: 4}"),
			at + ":4: a fixed number of replicas resets the autoscaler at each rollout; remove it and set the bounds of the autoscaler\n"},
		{"a short grace period", head, patch("Deployment", "- op: replace", "  path: /spec/template/spec/terminationGracePeriodSeconds", "  value: 30"),
			at + ":6: replicas are killed while they stop: preStop 10s + drain 20s + stop 5s + flush 5s + margin 5s is 45s, terminationGracePeriodSeconds is 30; write 45\n"},
		{"a long sleep", head, patch("Deployment", "spec: {template: {spec: {containers: [{name: shop, lifecycle: {preStop: {sleep: {seconds: 30}}}}]}}}"),
			at + ":4: replicas are killed while they stop: preStop 30s + drain 20s + stop 5s + flush 5s + margin 5s is 1m5s, terminationGracePeriodSeconds is 45; write 65\n"},
		{"a long sleep and a period for it", head, patch("Deployment", "spec: {template: {spec: {terminationGracePeriodSeconds: 65, containers: [{name: shop, lifecycle: {preStop: {sleep: {seconds: 30}}}}]}}}"), ""},
		{"an interval that rules do not know", head, patch("ServiceMonitor", "- {op: replace, path: /spec/endpoints/0/interval, value: 1m}"),
			at + ":4: the scrape interval is \"1m\" here and 15s in the rules (telemetry.scrapeInterval), which would count wrong; change it there\n"},
		{"more replicas than connections", postgres, patch("HorizontalPodAutoscaler", "- {op: replace, path: /spec/maxReplicas, value: 20}"),
			at + ":4:55: 25 instances (20 + 5 surge) x 7 connections + 1 for a migration = 176, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 3\n"},
		{"more instances than connections", postgres, patch("HorizontalPodAutoscaler", "- op: replace", "  path: /spec/maxReplicas", "  value: 100"),
			at + ":6:16: 125 instances (100 + 25 surge) x 7 connections + 1 for a migration = 876, above the budget of 97 (components.postgres.connections); " +
				"allow fewer replicas, or raise the budget to 126 or more if the database allows it\n"},
		{"more replicas of KEDA than connections", "components: {postgres: {}}\n" + keda, patch("ScaledObject", "spec: {maxReplicaCount: 20}"),
			at + ":4:31: 25 instances (20 + 5 surge) x 7 connections + 1 for a migration = 176, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 3\n"},
		{"more replicas within the budget", spare, patch("HorizontalPodAutoscaler", "- {op: replace, path: /spec/maxReplicas, value: 14}",
			"- {op: replace, path: /spec/minReplicas, value: 4}") + patch("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: 1}}}")[len("patches:\n"):], ""},
		{"a surge of all", postgres, patch("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: 100%}}}"),
			at + ":4:51: 20 instances (10 + 10 surge) x 7 connections + 1 for a migration = 141, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 4\n"},
		{"a surge that is none", postgres, patch("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: half}}}"), at + ":4: \"half\" is not a whole number\n"},
		{"a larger pool by a patch", postgres, patch("Deployment", "- {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: POSTGRES_MAX_CONNS, value: '10'}}"),
			at + ":4:106: 13 instances (10 + 3 surge) x 10 connections + 1 for a migration = 131, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 7\n"},
		{"a smaller pool for more replicas", postgres, patch("HorizontalPodAutoscaler", "spec: {maxReplicas: 20}") +
			patch("Deployment", "spec: {template: {spec: {containers: [{name: shop, env: [{value: '3', name: POSTGRES_MAX_CONNS}]}]}}}")[len("patches:\n"):], ""},
		{"a patch that is not there", head, "patches: [{path: gone.yaml}]\n", "deploy/overlays/prod: gone.yaml does not exist\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := serviceOf(t, tt.src)
			put(t, target, at, tt.overlay)
			if diff := cmp.Diff(tt.want, deployFindings(t, target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A pool in the variables of an overlay counts as one in a patch does.
func TestPoolsOfOverlaysStayWithinTheBudget(t *testing.T) {
	t.Parallel()
	const src = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\ncomponents: {postgres: {}}\n"
	const at = "deploy/overlays/prod/config.env"
	for _, tt := range []struct{ name, src, config, want string }{
		{"as large as it may be", src, "POSTGRES_MAX_CONNS=7\n", ""},
		{"too large", src, "LOG_LEVEL=debug\nPOSTGRES_MAX_CONNS=10\n",
			at + ":2:20: 13 instances (10 + 3 surge) x 10 connections + 1 for a migration = 131, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 7\n"},
		{"in a comment", src, "# POSTGRES_MAX_CONNS=10\n", ""},
		{"no number", src, "POSTGRES_MAX_CONNS=ten\n", at + ":1: \"ten\" is not a whole number\n"},
		{"of a service without a database", strings.Replace(src, "{postgres: {}}", "{}", 1), "POSTGRES_MAX_CONNS=1000\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := serviceOf(t, tt.src)
			put(t, target, at, tt.config)
			if diff := cmp.Diff(tt.want, deployFindings(t, target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
