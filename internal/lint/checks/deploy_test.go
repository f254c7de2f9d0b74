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

func TestGeneratedOverlaysHaveNoFindings(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\n"
	for name, src := range map[string]string{
		"minimal":       head,
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

// API servers accept these patches, or reject them without the line.
func TestOverlaysThatContradictTheSpecAreReported(t *testing.T) {
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
		{"ConfigMap with the name before a rename", head, "configMapGenerator:\n  - name: store-config\n    literals: []\n",
			at + ":2:11: the overlay generates ConfigMap store-config, but the Deployment reads shop-config; rename it and its other uses in this file\n"},
		{"ConfigMap of an environment file with the name before a rename", head, "configMapGenerator:\n  - name: store-config\n    envs: [config.env]\n",
			at + ":2:11: the overlay generates ConfigMap store-config, but the Deployment reads shop-config; rename it and its other uses in this file\n"},
		{"second ConfigMap of variables is allowed", head, "configMapGenerator:\n  - {name: job-config, envs: [job.env]}\n  - {name: shop-config, literals: [A=b]}\n", ""},
		{"ConfigMap of files is allowed", head, "configMapGenerator:\n  - {name: proxy-config, files: [proxy.yaml]}\n", ""},
		{"ConfigMap with another ending is allowed", head, "configMapGenerator:\n  - {name: flags, literals: [A=b]}\n", ""},
		{"missing environment file", head, "configMapGenerator:\n  - {name: shop-config, envs: [missing.env]}\n", "deploy/overlays/prod: missing.env does not exist\n"},
		{"patch target with the name before a rename", head, "patches:\n  - target: {kind: HorizontalPodAutoscaler, name: store}\n    patch: '[{op: replace, path: /spec/minReplicas, value: 2}]'\n",
			at + ":3:60: the patch targets HorizontalPodAutoscaler \"store\", but the service is named \"shop\": the patch may have no effect; rename the target\n"},
		{"patch target pattern matches the service", head, "patches:\n  - target: {kind: HorizontalPodAutoscaler, name: sh.*}\n    patch: '[{op: replace, path: /spec/minReplicas, value: 4}]'\n", ""},
		{"minimum above the maximum", head, patch("HorizontalPodAutoscaler", "- {op: replace, path: /spec/minReplicas, value: 11}"),
			at + ":4: minReplicas 11 is above maxReplicas 10, which the API server rejects; change one\n"},
		{"bounds of KEDA", keda, patch("ScaledObject", "- {op: replace, path: /spec/maxReplicaCount, value: 2}"),
			at + ":4: minReplicaCount 3 is above maxReplicaCount 2, which the API server rejects; change one\n"},
		{"both bounds changed", head, patch("HorizontalPodAutoscaler", "spec:", "  minReplicas: 20", "  maxReplicas: 40"), ""},
		{"not a number", head, patch("HorizontalPodAutoscaler", "spec: {minReplicas: many}"), at + ":4: \"many\" is not a whole number\n"},
		{"fixed replicas with an autoscaler", head, "replicas: [{name: shop, count: 4}]\n",
			at + ":1: a fixed replica count overrides the autoscaler at each rollout; remove it, and set the autoscaler's bounds instead\n"},
		{"patch of replicas", head, patch("Deployment", "spec: {replicas: 4}"),
			at + ":4: a fixed replica count overrides the autoscaler at each rollout; remove it, and set the autoscaler's bounds instead\n"},
		{"short grace period", head, patch("Deployment", "- op: replace", "  path: /spec/template/spec/terminationGracePeriodSeconds", "  value: 30"),
			at + ":6: terminationGracePeriodSeconds is 30, but a shutdown takes up to 45s (preStop 10s + drain 20s + stop 5s + flush 5s + margin 5s); write 45\n"},
		{"long preStop sleep", head, patch("Deployment", "spec: {template: {spec: {containers: [{name: shop, lifecycle: {preStop: {sleep: {seconds: 30}}}}]}}}"),
			at + ":4: terminationGracePeriodSeconds is 45, but a shutdown takes up to 1m5s (preStop 30s + drain 20s + stop 5s + flush 5s + margin 5s); write 65\n"},
		{"long preStop sleep and grace period", head, patch("Deployment", "spec: {template: {spec: {terminationGracePeriodSeconds: 65, containers: [{name: shop, lifecycle: {preStop: {sleep: {seconds: 30}}}}]}}}"), ""},
		{"other scrape interval than the rules", head, patch("ServiceMonitor", "- {op: replace, path: /spec/endpoints/0/interval, value: 1m}"),
			at + ":4: the scrape interval is \"1m\", but the rules use 15s; remove it, and set telemetry.scrapeInterval in scaffold.yaml\n"},
		{"replicas exceed the connection budget", postgres, patch("HorizontalPodAutoscaler", "- {op: replace, path: /spec/maxReplicas, value: 20}"),
			at + ":4:55: 25 instances (20 + 5 surge) x 7 connections + 1 for a migration = 176, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 3\n"},
		{"replicas exceed the budget with one connection each", postgres, patch("HorizontalPodAutoscaler", "- op: replace", "  path: /spec/maxReplicas", "  value: 100"),
			at + ":6:16: 125 instances (100 + 25 surge) x 7 connections + 1 for a migration = 876, above the budget of 97 (components.postgres.connections); " +
				"allow fewer replicas, or raise the budget to 126 or more if the database allows it\n"},
		{"replicas of KEDA exceed the connection budget", "components: {postgres: {}}\n" + keda, patch("ScaledObject", "spec: {maxReplicaCount: 20}"),
			at + ":4:31: 25 instances (20 + 5 surge) x 7 connections + 1 for a migration = 176, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 3\n"},
		{"replicas within the connection budget", spare, patch("HorizontalPodAutoscaler", "- {op: replace, path: /spec/maxReplicas, value: 14}",
			"- {op: replace, path: /spec/minReplicas, value: 4}") + patch("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: 1}}}")[len("patches:\n"):], ""},
		{"surge of 100%", postgres, patch("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: 100%}}}"),
			at + ":4:51: 20 instances (10 + 10 surge) x 7 connections + 1 for a migration = 141, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 4\n"},
		{"invalid surge", postgres, patch("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: half}}}"), at + ":4: \"half\" is not a whole number\n"},
		{"patch sets a larger pool", postgres, patch("Deployment", "- {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: POSTGRES_MAX_CONNS, value: '10'}}"),
			at + ":4:106: 13 instances (10 + 3 surge) x 10 connections + 1 for a migration = 131, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 7\n"},
		{"smaller pool for more replicas", postgres, patch("HorizontalPodAutoscaler", "spec: {maxReplicas: 20}") +
			patch("Deployment", "spec: {template: {spec: {containers: [{name: shop, env: [{value: '3', name: POSTGRES_MAX_CONNS}]}]}}}")[len("patches:\n"):], ""},
		{"missing patch file", head, "patches: [{path: missing.yaml}]\n", "deploy/overlays/prod: missing.yaml does not exist\n"},
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

func TestPoolSizeInOverlayIsWithinTheBudget(t *testing.T) {
	t.Parallel()
	const src = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\ncomponents: {postgres: {}}\n"
	const at, file = "deploy/overlays/prod/kustomization.yaml", "deploy/overlays/prod/config.env"
	const tooMany = ": 13 instances (10 + 3 surge) x 10 connections + 1 for a migration = 131, above the budget of 97 (components.postgres.connections); set POSTGRES_MAX_CONNS to 7\n"
	literals := func(list string) string {
		return "configMapGenerator:\n  - name: shop-config\n    literals:\n" + list
	}
	const envs = "configMapGenerator:\n  - name: shop-config\n    envs: [config.env]\n"
	for _, tt := range []struct{ name, src, overlay, config, want string }{
		{"exactly the budget", src, literals("      - POSTGRES_MAX_CONNS=7\n"), "", ""},
		{"above the budget", src, literals("      - LOG_LEVEL=debug\n      - POSTGRES_MAX_CONNS=10\n"), "", at + ":5:9" + tooMany},
		{"above the budget, quoted", src, literals("      - 'POSTGRES_MAX_CONNS=\"10\"'\n"), "", at + ":4:9" + tooMany},
		{"comment", src, literals("      - LOG_LEVEL=debug\n      # - POSTGRES_MAX_CONNS=10\n"), "", ""},
		{"not a number", src, literals("      - POSTGRES_MAX_CONNS=ten\n"), "", at + ":4: \"ten\" is not a whole number\n"},
		{"other ConfigMap", src, strings.ReplaceAll(literals("      - POSTGRES_MAX_CONNS=10\n"), "shop-config", "job"), "", ""},
		{"service without a database", strings.Replace(src, "{postgres: {}}", "{}", 1), literals("      - POSTGRES_MAX_CONNS=1000\n"), "", ""},
		{"above the budget in an environment file", src, envs, "LOG_LEVEL=debug\nPOSTGRES_MAX_CONNS=10\n", file + ":2:1" + tooMany},
		{"comment in an environment file", src, envs, "# POSTGRES_MAX_CONNS=10\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := serviceOf(t, tt.src)
			put(t, target, at, tt.overlay)
			put(t, target, file, tt.config)
			if diff := cmp.Diff(tt.want, deployFindings(t, target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
