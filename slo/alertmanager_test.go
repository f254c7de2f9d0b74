package slo_test

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/slo"
)

// routing is the common content of alertmanager.yaml and AlertmanagerConfig.
type routing struct {
	Routes      []routed
	Inhibitions []inhibition
}

type routed struct {
	Receiver               string
	Matchers               []string
	GroupBy                []string
	Wait, Interval, Repeat string
	Routes                 []routed
}

type inhibition struct{ Source, Target, Equal []string }

// alertmanagerFile is alertmanager.yaml.
type alertmanagerFile struct {
	Route struct {
		Receiver string
		Routes   []fileRoute
	}
	Receivers    []map[string]any
	InhibitRules []struct {
		SourceMatchers []string `yaml:"source_matchers"`
		TargetMatchers []string `yaml:"target_matchers"`
		Equal          []string
	} `yaml:"inhibit_rules"`
}

type fileRoute struct {
	Receiver       string
	Matchers       []string
	GroupBy        []string `yaml:"group_by"`
	GroupWait      string   `yaml:"group_wait"`
	GroupInterval  string   `yaml:"group_interval"`
	RepeatInterval string   `yaml:"repeat_interval"`
	Routes         []fileRoute
}

func (r fileRoute) routed() routed {
	out := routed{r.Receiver, r.Matchers, r.GroupBy, r.GroupWait, r.GroupInterval, r.RepeatInterval, nil}
	for _, child := range r.Routes {
		out.Routes = append(out.Routes, child.routed())
	}
	return out
}

func (f alertmanagerFile) routing() routing {
	var out routing
	for _, r := range f.Route.Routes {
		out.Routes = append(out.Routes, r.routed())
	}
	for _, i := range f.InhibitRules {
		out.Inhibitions = append(out.Inhibitions, inhibition{i.SourceMatchers, i.TargetMatchers, i.Equal})
	}
	return out
}

type operatorMatchers []struct {
	Name, Value string
	MatchType   string `yaml:"matchType"`
}

// texts formats matchers as in the file.
func (ms operatorMatchers) texts() []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Name+m.MatchType+strconv.QuoteToASCII(m.Value))
	}
	return out
}

// operatorResource is an AlertmanagerConfig.
type operatorResource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Route struct {
			Receiver string
			Matchers operatorMatchers
			Routes   []operatorRoute
		}
		Receivers    []map[string]any
		InhibitRules []struct {
			SourceMatch operatorMatchers `yaml:"sourceMatch"`
			TargetMatch operatorMatchers `yaml:"targetMatch"`
			Equal       []string
		} `yaml:"inhibitRules"`
	}
}

type operatorRoute struct {
	Receiver       string
	Matchers       operatorMatchers
	GroupBy        []string `yaml:"groupBy"`
	GroupWait      string   `yaml:"groupWait"`
	GroupInterval  string   `yaml:"groupInterval"`
	RepeatInterval string   `yaml:"repeatInterval"`
	Routes         []operatorRoute
}

func (r operatorRoute) routed() routed {
	out := routed{r.Receiver, r.Matchers.texts(), r.GroupBy, r.GroupWait, r.GroupInterval, r.RepeatInterval, nil}
	for _, child := range r.Routes {
		out.Routes = append(out.Routes, child.routed())
	}
	return out
}

func (r operatorResource) routing() routing {
	var out routing
	for _, c := range r.Spec.Route.Routes {
		out.Routes = append(out.Routes, c.routed())
	}
	for _, i := range r.Spec.InhibitRules {
		out.Inhibitions = append(out.Inhibitions, inhibition{i.SourceMatch.texts(), i.TargetMatch.texts(), i.Equal})
	}
	return out
}

func strictYAML(t *testing.T, data []byte, into any) {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
}

func TestAlertmanagerConfigEqualsFile(t *testing.T) {
	t.Parallel()
	hostile, err := slo.Compile(hostileSpec())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]slo.Rules{"hostile text": hostile, "severities with operators of regular expressions": mustCompile(t, minimal+"alerting: {severities: {page: 'p.1', ticket: 't|3'}}\n")}
	for name, src := range variants(t) {
		all[name] = mustCompile(t, src)
	}
	for name, rules := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var file alertmanagerFile
			strictYAML(t, rules.Alertmanager(), &file)
			var resource operatorResource
			strictYAML(t, rules.AlertmanagerConfig(slo.Label{Name: "release", Value: "stack"}), &resource)
			want := file.routing()
			if diff := cmp.Diff(want, resource.routing()); diff != "" {
				t.Errorf("- alertmanager.yaml, + AlertmanagerConfig:\n%s", diff)
			}
			if len(want.Routes) != 2 || len(want.Inhibitions) < 4 || len(want.Routes[0].Matchers) != 2 || len(want.Routes[0].Routes) != 1 {
				t.Errorf("alertmanager.yaml has %+v", want)
			}
			if resource.APIVersion != "monitoring.coreos.com/v1alpha1" || resource.Kind != "AlertmanagerConfig" || resource.Metadata.Labels["release"] != "stack" {
				t.Errorf("the resource is %s %s with the labels %v", resource.APIVersion, resource.Kind, resource.Metadata.Labels)
			}
			firstRouteTakesOnly(t, resource, rules.Spec)
		})
	}
}

// firstRouteTakesOnly checks that the first route matches only alerts that its child routes
// match, so that other alerts reach the default receiver.
func firstRouteTakesOnly(t *testing.T, r operatorResource, s slo.Spec) {
	t.Helper()
	m := r.Spec.Route.Matchers
	if len(m) != 2 || m[0].Name != "service" || m[0].MatchType != "=" || m[0].Value != s.Service || m[1].Name != "severity" || m[1].MatchType != "=~" {
		t.Fatalf("the first route matches %+v", m)
	}
	severity := regexp.MustCompile("^(?:" + m[1].Value + ")$")
	for value, want := range map[string]bool{s.Alerting.Severities.Page: true, s.Alerting.Severities.Ticket: true, "info": false, "pX1": false, "t": false, "3": false} {
		if severity.MatchString(value) != want {
			t.Errorf("the first route matches the severity %q: %t", value, !want)
		}
	}
}

func TestReceiverSecrets(t *testing.T) {
	t.Parallel()
	const path = "/etc/alertmanager/secrets/orders-alertmanager/"
	key := func(name string) map[string]any { return map[string]any{"name": "orders-alertmanager", "key": name} }
	for receivers, want := range map[string]struct{ page, ticket, operatorPage, operatorTicket map[string]any }{
		"{page: pagerduty, ticket: slack}": {
			setting("pagerduty_configs", "routing_key_file", path+"page", "send_resolved"), setting("slack_configs", "api_url_file", path+"ticket", "send_resolved"),
			setting("pagerdutyConfigs", "routingKey", key("page"), "sendResolved"), setting("slackConfigs", "apiURL", key("ticket"), "sendResolved"),
		},
		"{ticket: webhook}": {
			setting("webhook_configs", "url", "https://receiver.invalid/page", "send_resolved"), setting("webhook_configs", "url_file", path+"ticket", "send_resolved"),
			setting("webhookConfigs", "url", "https://receiver.invalid/page", "sendResolved"), setting("webhookConfigs", "urlSecret", key("ticket"), "sendResolved"),
		},
	} {
		rules := mustCompile(t, minimal+"alerting: {receivers: "+receivers+"}\n")
		var file alertmanagerFile
		strictYAML(t, rules.Alertmanager(), &file)
		var resource operatorResource
		strictYAML(t, rules.AlertmanagerConfig(), &resource)
		want.page["name"], want.ticket["name"], want.operatorPage["name"], want.operatorTicket["name"] = "page", "ticket", "page", "ticket"
		if diff := cmp.Diff([]map[string]any{{"name": "default"}, want.page, want.ticket}, file.Receivers); diff != "" {
			t.Errorf("%s: alertmanager.yaml (-want +got):\n%s", receivers, diff)
		}
		if diff := cmp.Diff([]map[string]any{want.operatorPage, want.operatorTicket}, resource.Spec.Receivers); diff != "" {
			t.Errorf("%s: AlertmanagerConfig (-want +got):\n%s", receivers, diff)
		}
	}
}

// setting is a receiver with one integration.
func setting(integration, key string, value any, resolved string) map[string]any {
	return map[string]any{integration: []any{map[string]any{key: value, resolved: true}}}
}

func TestReceiverPlaceholders(t *testing.T) {
	t.Parallel()
	for receivers, want := range map[string]int{"{}": 2, "{page: slack}": 1, "{page: slack, ticket: slack}": 0} {
		rules := mustCompile(t, minimal+"alerting: {receivers: "+receivers+"}\n")
		for form, text := range map[string]string{"alertmanager.yaml": string(rules.Alertmanager()), "AlertmanagerConfig": string(rules.AlertmanagerConfig())} {
			if got := strings.Count(text, "# Placeholder: set alerting.receivers."); got != want || strings.Count(text, ".invalid/") != want {
				t.Errorf("%s: %d comments on placeholders in %s, want %d", receivers, got, form, want)
			}
		}
		if got := strings.Count(strings.Join(rules.Notes, "\n"), "is a placeholder"); got != want {
			t.Errorf("%s: %d notes on placeholders, want %d", receivers, got, want)
		}
	}
}

func TestOpenSLOExportDropsReceivers(t *testing.T) {
	t.Parallel()
	_, dropped, err := slo.ExportOpenSLO(mustCompile(t, minimal+"alerting: {receivers: {page: slack}}\n").Spec)
	if err != nil {
		t.Fatal(err)
	}
	if want := "alerting: not supported by OpenSLO"; !slices.Contains(dropped, want) {
		t.Errorf("dropped %q, want %q", dropped, want)
	}
}
