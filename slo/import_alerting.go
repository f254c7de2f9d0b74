package slo

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// alertKind is the use of an imported value: label, annotation or severity.
type alertKind int

const (
	alertLabels alertKind = iota
	alertAnnotations
	alertPage   // severity of pages
	alertTicket // severity of tickets
)

// alertKey is a label, annotation or severity of the alerts of one objective. It is imported
// only if all objectives have it, since it applies to all alerts of the service.
type alertKey struct {
	objective int
	kind      alertKind
	name      string
	value     *yaml.Node
	key       *yaml.Node
	path      string
}

// alertKeys reads the labels or annotations at a key.
func (im *importer) alertKeys(n *yaml.Node, path, key string, objective int, kind alertKind) {
	for _, pair := range im.pairs(n, path, key) {
		im.alerting = append(im.alerting, alertKey{objective, kind, pair[0].Value, pair[1], pair[0], path + "." + pair[0].Value})
	}
}

// severity reads the severity of a tier from a key of a mapping. Other labels of a tier are
// dropped.
func (im *importer) severity(n *yaml.Node, path, mapping, key string, objective int, kind alertKind) {
	value := im.get(n, mapping, key)
	if value == nil {
		return
	}
	im.alerting = append(im.alerting, alertKey{objective, kind, labelSeverity, value, value, path + "." + mapping + "." + key})
}

// setAlerting sets the labels, annotations and severities that all objectives have.
func (im *importer) setAlerting() {
	im.spec.Alerting.Labels, im.spec.Alerting.Annotations = map[string]string{}, map[string]string{}
	for _, k := range im.alerting {
		if why := im.notImported(k); why != "" {
			im.drop(k.key, k.path, why)
			continue
		}
		value := valueOf(k.value)
		switch {
		case k.kind == alertPage:
			im.spec.Alerting.Severities.Page = value
		case k.kind == alertTicket:
			im.spec.Alerting.Severities.Ticket = value
		case k.kind == alertAnnotations:
			im.spec.Alerting.Annotations[k.name] = value
			im.came("alerting.annotations."+k.name, k.value, k.path)
		case k.name == labelTeam:
			im.spec.Owner = value
			im.came("owner", k.value, k.path)
		default:
			im.spec.Alerting.Labels[k.name] = value
			im.came("alerting.labels."+k.name, k.value, k.path)
		}
	}
	im.apart()
}

// notImported returns why a value is not imported, or "".
func (im *importer) notImported(k alertKey) string {
	const template = "{{"
	switch {
	case k.value.Kind != yaml.ScalarNode || valueOf(k.value) == "":
		return "not imported: not a text"
	case strings.Contains(k.value.Value, template):
		return "not imported: templates are not supported"
	case k.kind == alertLabels && k.name != labelTeam && reservedLabel(k.name),
		k.kind == alertAnnotations && slices.Contains(ownAnnotations(), k.name):
		return "not imported: the rules set it"
	case !im.agreed(k):
		return "not imported: not all objectives have this value"
	}
	return ""
}

// agreed reports whether all objectives have the value.
func (im *importer) agreed(k alertKey) bool {
	has := map[int]bool{}
	for _, other := range im.alerting {
		if other.kind != k.kind || other.name != k.name {
			continue
		}
		if valueOf(other.value) != valueOf(k.value) {
			return false
		}
		has[other.objective] = true
	}
	return len(has) == len(im.spec.SLOs)
}

// apart drops the severities if pages and tickets have the same.
func (im *importer) apart() {
	severities := im.spec.WithDefaults().Alerting.Severities
	if severities.Page != severities.Ticket {
		return
	}
	im.spec.Alerting.Severities = Severities{}
	for _, k := range im.alerting {
		if k.kind == alertPage || k.kind == alertTicket {
			im.drop(k.key, k.path, "pages and tickets need different severities")
		}
	}
}
