package spec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/components/postgres"
	"github.com/observability-first/scaffold/templates/spec"
)

const minimal = `apiVersion: scaffold/v1
service: orders
owner: team-checkout
module: github.com/acme/orders
`

func parse(t *testing.T, src string) spec.Service {
	t.Helper()
	s, err := spec.Parse("scaffold.yaml", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return s
}

func TestMinimalSpecGetsAllDefaults(t *testing.T) {
	t.Parallel()
	want := spec.Service{
		APIVersion:  "scaffold/v1",
		Name:        "orders",
		Description: "The orders service.",
		Owner:       "team-checkout",
		Module:      "github.com/acme/orders",
		Pattern:     "service",
		Resource:    "order",
		Plural:      "orders",
		HTTP:        spec.HTTP{Port: 8080},
		Admin:       spec.Admin{Addr: "127.0.0.1:9464"},
		Telemetry: spec.Telemetry{
			Selector:         map[string]string{"job": "orders"},
			EnvironmentLabel: "deployment_environment_name",
			ScrapeInterval:   15 * time.Second,
			TraceRatio:       0.01,
			Histograms:       "classic",
			Metrics:          "scrape",
		},
		Links:    slo.Links{Branch: "main"},
		Alerting: slo.Alerting{Severities: slo.Severities{Page: "critical", Ticket: "warning"}},
		Deploy: spec.Deploy{
			Platforms: []string{"kubernetes"},
			Pipelines: []string{"github"},
			Image:     "orders",
			Replicas:  spec.Replicas{Min: 3, Max: 10},
			Resources: spec.Resources{CPU: "250m", Memory: "256Mi"},
			Grace: spec.Grace{
				Period: 45 * time.Second, PreStop: 10 * time.Second, Drain: 20 * time.Second,
				Stop: 5 * time.Second, Flush: 5 * time.Second, Margin: 5 * time.Second,
			},
			Autoscale:  spec.Autoscale{Source: "cpu", CPU: 70, InFlight: 20},
			Monitoring: spec.Monitoring{Namespace: "monitoring"},
		},
		SLOs: []slo.Objective{
			{Name: "availability", Target: "99.9", Window: "30d", MinBadEvents: new(5),
				Indicator: slo.Indicator{Availability: &slo.Availability{}}},
			{Name: "latency", Target: "99", Window: "30d", MinBadEvents: new(5),
				Indicator: slo.Indicator{Latency: &slo.Latency{Threshold: 200 * time.Millisecond}}},
		},
	}
	if diff := cmp.Diff(want, parse(t, minimal), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(spec.Service{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEachKeySetsItsField(t *testing.T) {
	t.Parallel()
	got := parse(t, minimal+`
description: Takes orders.
moduleDirectory: orders
pattern: service
resource: purchase-order
plural: purchase-orders
components: {postgres: {connections: 400}}
http: {port: 8081, trustedParent: true}
admin: {addr: ":9465"}
telemetry:
  selector: {app: orders, cluster: a}
  environmentLabel: env
  groupBy: [region]
  scrapeInterval: 1m
  traceRatio: 1
  histograms: both
  metrics: push
links: {repository: "https://git.acme.io/orders", branch: trunk, runbooks: "https://run.acme.io", grafana: "http://grafana:3000", alertmanager: "https://am.acme.io/x"}
alerting: {labels: {tier: "1"}, annotations: {chat: "#orders"}, severities: {page: p1, ticket: p3}, receivers: {page: pagerduty, ticket: slack}}
deploy:
  directory: services/orders
  platforms: [cloud-run]
  pipelines: [gitlab, jenkins]
  terraform: [gcp]
  image: registry.acme.io:5000/shop/orders
  replicas: {min: 1, max: 1}
  resources: {cpu: 1.5, memory: 1Gi}
  grace: {period: 1m, preStop: 1s, drain: 2s, stop: 3s, flush: 4s, margin: 5s}
  autoscale: {source: keda, cpu: 50, inFlight: 7, prometheus: "http://prometheus.observed:9090"}
  gateway: {host: orders.acme.io, name: public, namespace: edge}
  monitoring: {namespace: observed, labels: {release: kube-prometheus, acme.io/tier: ""}}
compatibility: [sloth]
files: [renovate, backstage]
slos: [{name: own, objective: 95.50, window: 7d, indicator: {ratio: {total: 'a_total', bad: 'a_total{x="y"}'}}, minBadEvents: 0}, {name: routes, objective: 99, groupBy: [http_route], indicator: {availability: {}}}]
`)
	want := spec.Service{
		APIVersion: "scaffold/v1", Name: "orders", Description: "Takes orders.", Owner: "team-checkout",
		Module: "github.com/acme/orders", ModuleDirectory: "orders", Pattern: "service", Resource: "purchase-order", Plural: "purchase-orders",
		Components: components.Used{Postgres: &postgres.Options{Connections: 400}},
		HTTP:       spec.HTTP{Port: 8081, TrustedParent: true},
		Admin:      spec.Admin{Addr: ":9465"},
		Telemetry: spec.Telemetry{
			Selector: map[string]string{"app": "orders", "cluster": "a"}, EnvironmentLabel: "env", GroupBy: []string{"region"},
			ScrapeInterval: time.Minute, TraceRatio: 1, Histograms: "both", Metrics: "push",
		},
		Links: slo.Links{
			Repository: "https://git.acme.io/orders", Branch: "trunk", Runbooks: "https://run.acme.io",
			Grafana: "http://grafana:3000", Alertmanager: "https://am.acme.io/x",
		},
		Alerting: slo.Alerting{
			Labels: map[string]string{"tier": "1"}, Annotations: map[string]string{"chat": "#orders"},
			Severities: slo.Severities{Page: "p1", Ticket: "p3"}, Receivers: slo.Receivers{Page: "pagerduty", Ticket: "slack"},
		},
		Compatibility: []string{"sloth"}, Files: []string{"renovate", "backstage"},
		Deploy: spec.Deploy{
			Directory: "services/orders",
			Platforms: []string{"cloud-run"}, Pipelines: []string{"gitlab", "jenkins"}, Terraform: []string{"gcp"},
			Image: "registry.acme.io:5000/shop/orders", Replicas: spec.Replicas{Min: 1, Max: 1},
			Resources: spec.Resources{CPU: "1.5", Memory: "1Gi"},
			Grace: spec.Grace{
				Period: time.Minute, PreStop: time.Second, Drain: 2 * time.Second,
				Stop: 3 * time.Second, Flush: 4 * time.Second, Margin: 5 * time.Second,
			},
			Autoscale:  spec.Autoscale{Source: "keda", CPU: 50, InFlight: 7, Prometheus: "http://prometheus.observed:9090"},
			Gateway:    spec.Gateway{Host: "orders.acme.io", Name: "public", Namespace: "edge"},
			Monitoring: spec.Monitoring{Namespace: "observed", Labels: map[string]string{"release": "kube-prometheus", "acme.io/tier": ""}},
		},
		SLOs: []slo.Objective{{
			Name: "own", Target: "95.50", Window: "7d", MinBadEvents: new(0),
			Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: "a_total", Bad: `a_total{x="y"}`}},
		}, {
			Name: "routes", Target: "99", Window: "30d", GroupBy: []string{"http_route"}, MinBadEvents: new(5),
			Indicator: slo.Indicator{Availability: &slo.Availability{}},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(spec.Service{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !cmp.Equal(got.Components.Names(), []string{"postgres"}) {
		t.Errorf("the component is not used: %v", got.Components.Names())
	}
}

// Each row replaces or appends lines of the minimal spec.
func TestParseReportsEachMistake(t *testing.T) {
	t.Parallel()
	service := func(name string) string { return strings.Replace(minimal, "service: orders", "service: "+name, 1) }
	owner := func(text string) string { return strings.Replace(minimal, "team-checkout", text, 1) }
	module := func(path string) string { return strings.Replace(minimal, "github.com/acme/orders", path, 1) }
	for _, tt := range []struct{ name, src, want string }{
		{"missing version", strings.TrimPrefix(minimal, "apiVersion: scaffold/v1\n"),
			`scaffold.yaml: unexpected format: no line begins with "apiVersion: scaffold"; add it, or pass another file`},
		{"newer version", strings.Replace(minimal, "v1", "v2", 1),
			`scaffold.yaml:1:13: apiVersion: "scaffold/v2" is not supported by this scaffold; write scaffold/v1, or install a newer scaffold`},
		{"upper case", service("Orders"), `scaffold.yaml:2:10: service: "Orders" is not a DNS label; ` +
			"use lower-case letters, digits and single hyphens, beginning with a letter, such as orders"},
		{"leading digit", service("1orders"), `scaffold.yaml:2:10: service: "1orders" is not a DNS label; ` +
			"use lower-case letters, digits and single hyphens, beginning with a letter, such as orders"},
		{"path", service("a/b"), `scaffold.yaml:2:10: service: "a/b" is a path; write a name such as orders`},
		{"parent directory", service("../x"), `scaffold.yaml:2:10: service: "../x" is a path; write a name such as orders`},
		{"Go keyword", service("func"), `scaffold.yaml:2:10: service: "func" is a Go keyword; choose another name`},
		{"Windows device", service("nul"), `scaffold.yaml:2:10: service: "nul" is a directory name with a special meaning; choose another name`},
		{"module version", service("v2"), `scaffold.yaml:2:10: service: "v2" is a Go major version suffix; choose another name`},
		{"YAML boolean", service("on"), `scaffold.yaml:2:10: service: "on" is a YAML value that is not text; choose another name`},
		{"too long", service(strings.Repeat("a", 41)),
			`scaffold.yaml:2:10: service: "` + strings.Repeat("a", 41) + `" is 41 characters long; use at most 40`},
		{"empty name", service(""), "scaffold.yaml:2:9: service: the name is empty; write one such as orders"},
		{"misspelled owner", strings.Replace(minimal, "owner:", "owners:", 1), `scaffold.yaml:3:1: owners: unknown key; did you mean "owner"?`},
		{"misspelled owner and invalid owner", strings.Replace(minimal, "owner:", "owner: ' '\nowners:", 1),
			`scaffold.yaml:3:8: owner: the owner is empty; write the team that is paged, such as team-checkout
scaffold.yaml:4:1: owners: unknown key; did you mean "owner"?`},
		{"blank owner", owner(`" "`), "scaffold.yaml:3:8: owner: the owner is empty; write the team that is paged, such as team-checkout"},
		{"control character in owner", owner(`"a\a"`), "scaffold.yaml:3:8: owner: the text contains the control character U+0007; remove it"},
		{"owner of two lines", owner(`"a\nb"`), "scaffold.yaml:3:8: owner: the owner contains U+000A, which is not printable; write one line such as team-checkout"},
		{"owner with text direction override", owner(`"a\u202eb"`), "scaffold.yaml:3:8: owner: the owner contains U+202E, which is not printable; write one line such as team-checkout"},
		{"module without a dot", module("orders"),
			`scaffold.yaml:4:9: module: "orders" is not a module path: missing dot in first path element; write one such as github.com/acme/orders`},
		{"module with a space", module("github.com/a b"),
			`scaffold.yaml:4:9: module: "github.com/a b" is not a module path: invalid char ' '; write one such as github.com/acme/orders`},
		{"unknown pattern", minimal + "pattern: servise",
			`scaffold.yaml:5:10: pattern: unknown pattern "servise"; did you mean "service"?`},
		{"unsupported pattern", minimal + "pattern: zebra", `scaffold.yaml:5:10: pattern: unknown pattern "zebra"; known: ` + strings.Join(spec.Patterns(), ", ")},
		{"unknown component", minimal + "components: {postgers: {}}",
			`scaffold.yaml:5:14: components.postgers: unknown key; did you mean "postgres"?`},
		{"unknown option of a component", minimal + "components: {postgres: {size: 1}}",
			"scaffold.yaml:5:25: components.postgres.size: unknown key; known here: connections"},
		{"component at the top level", minimal + "postgres: {}", "scaffold.yaml:5:1: postgres: unknown key; write components.postgres"},
		{"list instead of a mapping of components", minimal + "components: [postgres]", "scaffold.yaml:5:13: components: a list is not keys and values; write components: {postgres: {}}"},
		{"route in a latency indicator", minimal + "slos: [{name: a, objective: 99, indicator: {latency: {threshold: 200ms, route: /v1/orders}}}]",
			"scaffold.yaml:5:73: slos[0].indicator.latency.route: unknown key; write route next to indicator"},
		{"unknown key metric in a latency indicator", minimal + "slos: [{name: a, objective: 99, indicator: {latency: {threshold: 200ms, metric: a_seconds}}}]",
			`scaffold.yaml:5:73: slos[0].indicator.latency.metric: unknown key; did you mean "histogram"?`},
		{"Go keyword as the resource", minimal + "resource: type", `scaffold.yaml:5:11: resource: "type" is a Go keyword; choose another noun`},
		{"predeclared Go name", minimal + "resource: error", `scaffold.yaml:5:11: resource: "error" is predeclared in Go; choose another noun`},
		{"name of a generated package", minimal + "resource: store",
			`scaffold.yaml:5:11: resource: "store" is already used in the generated code; choose another noun`},
		{"imported package", minimal + "resource: context",
			`scaffold.yaml:5:11: resource: "context" is a package that the generated code imports; choose another noun`},
		{"resource whose plural is reserved", minimal + "resource: slice",
			`scaffold.yaml:5:11: resource: "slices" is a package that the generated code imports; choose another plural`},
		{"objectives without a page", minimal + "slos: [{name: routes, objective: 99, groupBy: [http_route], indicator: {availability: {}}}]",
			"scaffold.yaml:5:47: slos[0].groupBy: every objective has groupBy, and grouped objectives do not page; add one without groupBy, such as {name: availability, objective: 99.9, indicator: {availability: {}}}"},
		{"mapping instead of a duration", minimal + "slos: [{name: a, indicator: {latency: {threshold: {}}}, objective: 99, window: 30d}]",
			"scaffold.yaml:5:51: slos[0].indicator.latency.threshold: a mapping is not a duration; write one such as 200ms, 15s or 30d"},
		{"plural equal to the singular", minimal + "resource: sheep\nplural: sheep",
			`scaffold.yaml:6:9: plural: "sheep" is the resource itself; generated code needs two names, so write a plural such as "sheep-list"`},
		{"port 0", minimal + "http: {port: 0}", "scaffold.yaml:5:14: http.port: 0 is not a port; use 1 to 65535"},
		{"address without a port", minimal + "admin: {addr: localhost}",
			`scaffold.yaml:5:15: admin.addr: "localhost" is not host:port; write one such as 127.0.0.1:9464`},
		{"address with a named port", minimal + "admin: {addr: \":http\"}",
			`scaffold.yaml:5:15: admin.addr: "http" is not a port; use 1 to 65535`},
		{"port with a sign", minimal + "admin: {addr: \":+80\"}",
			`scaffold.yaml:5:15: admin.addr: "+80" is not a port; use 1 to 65535`},
		{"host with shell syntax", minimal + "admin: {addr: \"$(reboot):9464\"}",
			`scaffold.yaml:5:15: admin.addr: "$(reboot)" is not a host; write an address such as 127.0.0.1, or nothing for all of them`},
		{"host zone with shell syntax", minimal + "admin: {addr: \"[fe80::1%$(reboot)]:9464\"}",
			`scaffold.yaml:5:15: admin.addr: "fe80::1%$(reboot)" is not a host; write an address such as 127.0.0.1, or nothing for all of them`},
		{"same port for both listeners", minimal + "admin: {addr: \":8080\"}",
			"scaffold.yaml:5:15: admin.addr: port 8080 is also http.port; use different ports"},
		{"ratio in percent", minimal + "telemetry: {traceRatio: 10}", "scaffold.yaml:5:25: telemetry.traceRatio: 10 is not a ratio; use 0 to 1"},
		{"ratio is NaN", minimal + "telemetry: {traceRatio: !!float nan}",
			"scaffold.yaml:5:25: telemetry.traceRatio: NaN is not a ratio; use 0 to 1"},
		{"unknown histogram", minimal + "telemetry: {histograms: nativ}",
			`scaffold.yaml:5:25: telemetry.histograms: unknown kind of histogram "nativ"; did you mean "native"?`},
		{"latency objective without buckets", minimal + "telemetry: {histograms: native}\nslos: [{name: latency, objective: 99, indicator: {latency: {threshold: 200ms}}}]",
			`scaffold.yaml:5:25: telemetry.histograms: native histograms have no bucket for slos[0].indicator.latency to count, so that "latency" would never fire; write both, or remove the objective`},
		{"empty selector value", minimal + "telemetry: {selector: {job: \"\"}}",
			"scaffold.yaml:5:29: telemetry.selector.job: the value is empty and would select everything without the label; write a value"},
		{"link with a password", minimal + "links: {runbooks: 'https://me:secret@acme.io'}",
			"scaffold.yaml:5:19: links.runbooks: the address contains a user name or password; remove it, because everybody can see links"},
		{"branch with a space", minimal + "links: {branch: my branch}",
			`scaffold.yaml:5:17: links.branch: "my branch" is not the name of a branch; write one such as main`},
		{"unknown receiver", minimal + "alerting: {receivers: {page: pagerdty}}",
			`scaffold.yaml:5:30: alerting.receivers.page: unknown integration "pagerdty"; write pagerduty, slack or webhook; did you mean "pagerduty"?`},
		{"empty severity", minimal + "alerting: {severities: {page: ''}}",
			"scaffold.yaml:5:31: alerting.severities.page: the value is empty; write the severity that your Alertmanager routes"},
		{"directory outside the repository", minimal + "deploy: {directory: ../orders}",
			`scaffold.yaml:5:21: deploy.directory: "../orders" is not a directory name that every pipeline accepts; write one below the root of the repository such as services/orders, each part of letters, digits, '-', '_' and '.', the first a letter, digit or '_'`},
		{"directory with a glob pattern", minimal + "deploy: {directory: 'services/*'}",
			`scaffold.yaml:5:21: deploy.directory: "services/*" is not a directory name that every pipeline accepts; write one below the root of the repository such as services/orders, each part of letters, digits, '-', '_' and '.', the first a letter, digit or '_'`},
		{"directory below .git", minimal + "deploy: {directory: .git/orders}",
			`scaffold.yaml:5:21: deploy.directory: ".git/orders" is not a directory name that every pipeline accepts; write one below the root of the repository such as services/orders, each part of letters, digits, '-', '_' and '.', the first a letter, digit or '_'`},
		{"zero replicas", minimal + "deploy: {replicas: {min: 0}}", "scaffold.yaml:5:26: deploy.replicas.min: 0 is too few; use 1 or more"},
		{"connection budget of zero", minimal + "components: {postgres: {connections: 0}}",
			"scaffold.yaml:5:38: components.postgres.connections: 0 is not a number of connections; use 1 to 262143"},
		{"fewer connections than instances", minimal + "components: {postgres: {connections: 13}}",
			"scaffold.yaml:5:38: components.postgres.connections: 13 connections are too few for 13 instances (10 + 3 during a rollout) and a migration; " +
				"write 14 or more if the database allows it, or lower deploy.replicas.max"},
		{"more instances than connections", minimal + "components: {postgres: {}}\ndeploy: {replicas: {max: 80}}",
			"scaffold.yaml:6:26: deploy.replicas.max: 97 connections are too few for 100 instances (80 + 20 during a rollout) and a migration; " +
				"write 101 or more if the database allows it, or lower deploy.replicas.max"},
		{"number of instances overflows", minimal + "components: {postgres: {}}\ndeploy: {replicas: {max: 9223372036854775807}}",
			"scaffold.yaml:6:26: deploy.replicas.max: 9223372036854775807 instances need more connections than PostgreSQL allows; use fewer than 262143"},
		{"maximum below the minimum", minimal + "deploy: {replicas: {max: 2}}",
			"scaffold.yaml:5:26: deploy.replicas.max: 2 is below the minimum of 3"},
		{"module path does not end in moduleDirectory", minimal + "moduleDirectory: services/orders\ndeploy: {directory: services/orders}",
			`scaffold.yaml:5:18: moduleDirectory: the module "github.com/acme/orders" does not end in services/orders; write the import path of the directory as the module`},
		{"moduleDirectory is not the end of deploy.directory", minimal + "moduleDirectory: orders",
			`scaffold.yaml:5:18: moduleDirectory: orders is not the end of deploy.directory, which is ""; the module lies within the repository`},
		{"moduleDirectory above the module", minimal + "moduleDirectory: ../orders",
			`scaffold.yaml:5:18: moduleDirectory: "../orders" is not a directory name that every pipeline accepts; write one below the root of the repository such as services/orders, each part of letters, digits, '-', '_' and '.', the first a letter, digit or '_'`},
		{"unknown platform", minimal + "deploy: {platforms: [kubernets]}",
			`scaffold.yaml:5:22: deploy.platforms[0]: unknown platform "kubernets"; did you mean "kubernetes"?`},
		{"Cloud Run without metrics push", minimal + "deploy: {platforms: [kubernetes, cloud-run]}",
			"scaffold.yaml:5:34: deploy.platforms[1]: Cloud Run opens one port, so Prometheus cannot scrape the service; add telemetry: {metrics: push}"},
		{"resources above the Cloud Run limit", minimal + "telemetry: {metrics: push}\ndeploy: {platforms: [cloud-run], resources: {cpu: 8500m}}",
			"scaffold.yaml:6:45: deploy.resources: cpu 8500m and memory 256Mi exceed the limits of Cloud Run, 8 and 32Gi"},
		{"concurrency above the Cloud Run limit", minimal + "telemetry: {metrics: push}\ndeploy: {platforms: [cloud-run], autoscale: {inFlight: 1001}}",
			"scaffold.yaml:6:56: deploy.autoscale.inFlight: 1001 exceeds the maximum concurrency of a Cloud Run instance; use 1000 or less"},
		{"unknown optional file", minimal + "files: [renovat]",
			`scaffold.yaml:5:9: files[0]: unknown file "renovat"; did you mean "renovate"?`},
		{"name of an optional file", minimal + "files: [catalog-info.yaml]",
			`scaffold.yaml:5:9: files[0]: unknown file "catalog-info.yaml"; known: backstage, collector, editorconfig, renovate`},
		{"duplicate optional file", minimal + "files: [renovate, renovate]",
			"scaffold.yaml:5:19: files[1]: duplicate value \"renovate\"; remove one"},
		{"duplicate pipeline", minimal + "deploy: {pipelines: [github, github]}",
			"scaffold.yaml:5:30: deploy.pipelines[1]: duplicate value \"github\"; remove one"},
		{"unknown cloud", minimal + "telemetry: {metrics: push}\ndeploy: {terraform: [moon]}",
			`scaffold.yaml:6:22: deploy.terraform[0]: unknown cloud "moon"; known: aws, gcp, azure`},
		{"Terraform without metrics push", minimal + "deploy: {terraform: [aws]}",
			"scaffold.yaml:5:21: deploy.terraform: Prometheus does not scrape services on these platforms; write telemetry.metrics: push"},
		{"image with a tag", minimal + "deploy: {image: 'ghcr.io/acme/orders:v1'}",
			`scaffold.yaml:5:17: deploy.image: "ghcr.io/acme/orders:v1" has a tag, or a port without a repository; write the repository, such as ghcr.io/acme/orders`},
		{"image with a digest", minimal + "deploy: {image: 'orders@sha256:0'}",
			`scaffold.yaml:5:17: deploy.image: "orders@sha256:0" contains a digest, which differs in each release; write the repository alone, such as ghcr.io/acme/orders`},
		{"image in upper case", minimal + "deploy: {image: ghcr.io/Acme/orders}",
			`scaffold.yaml:5:17: deploy.image: "ghcr.io/Acme/orders" is not an image name; write a repository in lower case, such as ghcr.io/acme/orders`},
		{"zero CPU", minimal + "deploy: {resources: {cpu: 0.0}}",
			`scaffold.yaml:5:27: deploy.resources.cpu: "0.0" is not an amount of CPU; write one such as 250m or 1.5`},
		{"memory in MB", minimal + "deploy: {resources: {memory: 256MB}}",
			`scaffold.yaml:5:30: deploy.resources.memory: "256MB" is not an amount of memory; write one such as 256Mi or 1Gi`},
		{"too little memory", minimal + "deploy: {resources: {memory: 31Mi}}",
			`scaffold.yaml:5:30: deploy.resources.memory: "31Mi" is too little memory for a Go service with telemetry; write 32Mi or more`},
		{"period shorter than its parts", minimal + "deploy: {grace: {period: 30s}}",
			"scaffold.yaml:5:26: deploy.grace.period: 30s is shorter than the sum of its parts, so replicas would be killed while they stop: " +
				"preStop 10s + drain 20s + stop 5s + flush 5s + margin 5s; write 45s, or shorten a part"},
		{"fraction of a second", minimal + "deploy: {grace: {drain: 1500ms}}",
			"scaffold.yaml:5:25: deploy.grace.drain: 1.5s is not a whole number of seconds; write 2s"},
		{"preStop of zero", minimal + "deploy: {grace: {preStop: 0s}}",
			"scaffold.yaml:5:27: deploy.grace.preStop: 0s is too short; use 1s or more"},
		{"drain of a day", minimal + "deploy: {grace: {drain: 1d}}",
			"scaffold.yaml:5:25: deploy.grace.drain: 24h0m0s is longer than an hour, and a rollout would wait that long for each replica; use less"},
		{"unknown autoscale source", minimal + "deploy: {autoscale: {source: kedaa}}",
			`scaffold.yaml:5:30: deploy.autoscale.source: unknown source "kedaa"; did you mean "keda"?`},
		{"CPU target above 100 percent", minimal + "deploy: {autoscale: {cpu: 101}}",
			"scaffold.yaml:5:27: deploy.autoscale.cpu: 101 is not a percentage of the requested CPU; use 1 to 100"},
		{"KEDA without Prometheus", minimal + "deploy: {autoscale: {source: keda}}",
			"scaffold.yaml:5:21: deploy.autoscale.prometheus: KEDA needs the address of Prometheus; write one such as http://prometheus.monitoring:9090"},
		{"password in the Prometheus address", minimal + "deploy: {autoscale: {prometheus: 'http://a:b@p'}}",
			"scaffold.yaml:5:34: deploy.autoscale.prometheus: the address contains a user name or password; remove it, because everybody can read manifests"},
		{"gateway without a host", minimal + "deploy: {gateway: {name: public}}",
			"scaffold.yaml:5:19: deploy.gateway.host: a gateway without a host routes no requests; write the host name that clients use, or remove the gateway"},
		{"gateway host with a path", minimal + "deploy: {gateway: {host: acme.io/x, name: a, namespace: b}}",
			`scaffold.yaml:5:26: deploy.gateway.host: "acme.io/x" is not a host name; write one such as orders.acme.com`},
		{"gateway host without a gateway name", minimal + "deploy: {gateway: {host: acme.io, namespace: b}}",
			`scaffold.yaml:5:19: deploy.gateway.name: "" is not a Kubernetes object name; use lower-case letters, digits and hyphens`},
		{"label with a space", minimal + "deploy: {monitoring: {labels: {release: a b}}}",
			`scaffold.yaml:5:41: deploy.monitoring.labels.release: "a b" is not the value of a Kubernetes label; use letters, digits, '-', '_' and '.', at most 63`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := spec.Parse("scaffold.yaml", []byte(tt.src))
			if err == nil {
				t.Fatal("the spec was accepted")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := spec.Parse("scaffold.yaml", []byte(`apiVersion: scaffold/v9
service: a/b
owner: ""
module: orders
pattern: servce
http: {port: "x"}
telemetry: {scrapeInterval: 4s, traceRatio: 2, sampling: 1}
deploy: {replicas: {min: 0}}
`))
	var list diagnostic.List
	if !errors.As(err, &list) {
		t.Fatalf("got %T, want a list", err)
	}
	var lines []int
	for _, p := range list {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6, 7, 7, 7, 8}, lines); diff != "" {
		t.Errorf("lines of the problems (-want +got):\n%s\n%v", diff, err)
	}
}

func TestProblemHasSourceLineAndCaret(t *testing.T) {
	t.Parallel()
	_, err := spec.Parse("scaffold.yaml", []byte(minimal+"telemetry: {scrapeIntervall: 15s}"))
	var list diagnostic.List
	if !errors.As(err, &list) {
		t.Fatal(err)
	}
	want := `scaffold.yaml:5:13: telemetry.scrapeIntervall: unknown key; did you mean "scrapeInterval"?
    telemetry: {scrapeIntervall: 15s}
                ^`
	if diff := cmp.Diff(want, list.Render()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseIsStrictAndStable(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "description: \"a\\nb: {{ .X }} # 'q'\"\ntelemetry: {selector: {a: b}}\n"))
	f.Add([]byte(minimal + "alerting: {labels: {a: b}, annotations: {c: \"\\t\"}}\ncomponents: {postgres: }"))
	f.Add([]byte("apiVersion: scaffold/v1\nservice: [x]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := spec.Parse("scaffold.yaml", src)
		if err != nil {
			var list diagnostic.List
			if !errors.As(err, &list) || len(list) == 0 {
				t.Fatalf("got %T, want problems", err)
			}
			return
		}
		for _, written := range [][]byte{s.YAML(), s.EffectiveYAML()} {
			again, err := spec.Parse("scaffold.yaml", written)
			if err != nil {
				t.Fatalf("what was written does not parse: %v\n%s", err, written)
			}
			if diff := cmp.Diff(s, again, cmpopts.IgnoreUnexported(spec.Service{}), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("what was written means something else (-want +got):\n%s\n%s", diff, written)
			}
		}
	})
}

// The tests of package slo check the rules; this test checks the keys.
func TestRuleProblemsAreReportedAtTheKeysOfTheSpec(t *testing.T) {
	t.Parallel()
	_, err := spec.Parse("scaffold.yaml", []byte(minimal+`telemetry:
  scrapeInterval: 90s
  environmentLabel: a-b
  metrics: pull
  selector:
    a-b: c
deploy: {replicas: {min: -1}}
links: {grafana: grafana}
alerting:
  labels: {severity: x}
  annotations: {summary: x}
slos:
  - {name: a, objective: 0.999, indicator: {availability: {}}}
  - {name: a, objective: 99, window: 4w, indicator: {ratio: {total: 'a{', bad: b}}}
`))
	var list diagnostic.List
	if !errors.As(err, &list) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprintf("%d %s", p.Line, p.Path))
	}
	want := []string{
		"6 telemetry.scrapeInterval", "7 telemetry.environmentLabel", "8 telemetry.metrics", "10 telemetry.selector.a-b",
		"11 deploy.replicas.min", "12 links.grafana", "14 alerting.labels.severity", "15 alerting.annotations.summary",
		"17 slos[0].objective", "18 slos[1].name", "18 slos[1].window", "18 slos[1].indicator.ratio.total",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, err)
	}
}

func TestSLOCopiesValuesOfTheSpec(t *testing.T) {
	t.Parallel()
	got := parse(t, minimal+"telemetry: {scrapeInterval: 30s, metrics: push}\n").SLO()
	if diff := cmp.Diff(got, got.WithDefaults(), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(slo.Spec{})); diff != "" {
		t.Errorf("package slo has defaults of its own (-spec +slo):\n%s", diff)
	}
	if got.Service != "orders" || got.ScrapeInterval != 30*time.Second || got.Metrics != slo.MetricsPush || got.Replicas.Min != 3 || !got.Runtime {
		t.Errorf("got %+v", got)
	}
	got.Validate(failing{t})
}

// failing fails the test on any problem.
type failing struct{ t *testing.T }

func (f failing) Problemf(path, format string, args ...any) { f.ProblemAtf(path, 0, format, args...) }

func (f failing) ProblemAtf(path string, _ int, format string, args ...any) {
	f.t.Errorf(path+": "+format, args...)
}
