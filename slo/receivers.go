package slo

import (
	"maps"
	"slices"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// Receivers are the integrations that send notifications, each one of [Integrations]. If
// one is empty, the receiver is a placeholder: Alertmanager loads it, fails to send, and
// logs and counts the failures.
type Receivers struct {
	Page   string `yaml:"page"`
	Ticket string `yaml:"ticket"`
}

func (r Receivers) of(tier Tier) string {
	if tier == TierPage {
		return r.Page
	}
	return r.Ticket
}

// receiverSecret is the name of the Secret with a key for each receiver.
func (s Spec) receiverSecret() string { return s.Service + "-alertmanager" }

func receiverKey(tier Tier) string { return "alerting.receivers." + string(tier) }

// integration has the keys of an Alertmanager integration and of the only setting
// that it requires. The setting is a secret: alertmanager.yaml names a file, an
// AlertmanagerConfig names a Secret.
type integration struct{ config, file, operatorConfig, operatorSecret string }

func integrations() map[string]integration {
	return map[string]integration{
		"pagerduty": {"pagerduty_configs", "routing_key_file", "pagerdutyConfigs", "routingKey"},
		"slack":     {"slack_configs", "api_url_file", "slackConfigs", "apiURL"},
		"webhook":   {"webhook_configs", "url_file", "webhookConfigs", "urlSecret"},
	}
}

// Integrations lists the known integrations.
func Integrations() []string { return slices.Sorted(maps.Keys(integrations())) }

func (r Receivers) validate(to Reporter) {
	for _, tier := range []Tier{TierPage, TierTicket} {
		name := r.of(tier)
		if _, ok := integrations()[name]; !ok && name != "" {
			to.Problemf(receiverKey(tier), "unknown integration %q; write %s%s", name, known(Integrations()), diagnostic.DidYouMean(name, Integrations()))
		}
	}
}

// noteReceivers adds a note for each placeholder.
func (c *compiler) noteReceivers() {
	for _, tier := range []Tier{TierPage, TierTicket} {
		if c.spec.Alerting.Receivers.of(tier) == "" {
			c.notes = append(c.notes, sprintf("%s is not set: receiver %s is a placeholder that sends nothing; set it to %s, and put its routing key or URL in the key %s of the Kubernetes Secret %s",
				receiverKey(tier), tier, known(Integrations()), tier, c.spec.receiverSecret()))
		}
	}
}
