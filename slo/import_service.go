package slo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// service is the service of a document.
type service struct {
	name string // empty for Pyrra
	place
}

func (im *importer) serviceOf(doc *yaml.Node) service {
	keys := []string{"spec", "service"}
	switch im.version(doc) {
	case slothVersion:
		keys = []string{"service"}
	case pyrraVersion:
		return service{place: place{im.find(doc, "metadata", "name"), "metadata.name"}}
	}
	return service{name: im.text(doc, keys...), place: place{im.find(doc, keys...), strings.Join(keys, ".")}}
}

// setService sets the name of the service if the objectives have none.
func (im *importer) setService() {
	switch {
	case len(im.unnamed) > 0 && slices.ContainsFunc(im.documents, func(doc *yaml.Node) bool {
		return im.holdsObjectives(doc) && im.version(doc) != pyrraVersion
	}):
		im.at(im.unnamed[0], "metadata.name", "Pyrra has no services, so the service of this objective is unknown; move objectives of Pyrra to another file")
	case im.spec.Service != "":
		im.spec.Service = im.label("service", im.spec.Service)
	case len(im.unnamed) == 0:
	case im.options.Service != "":
		im.spec.Service = im.options.Service
	default:
		im.spec.Service = label(im.commonJob())
		if im.spec.Service == "" && len(im.unnamed) == 1 {
			im.spec.Service = label(im.unnamed[0].Value)
		}
		if im.spec.Service == "" {
			im.at(im.unnamed[0], "metadata.name", "the objectives have no job in common to name the service after; set --service")
			return
		}
		im.came("service", im.unnamed[0], "service")
		im.change(im.unnamed[0], "service", fmt.Sprintf("%q, because Pyrra has no services; --service sets another", im.spec.Service))
	}
}

// shortenNames removes the service from the beginning of objective names, since alert names
// begin with it. Names stay unique.
func (im *importer) shortenNames() {
	rest := func(name string) string { return strings.TrimPrefix(name, im.spec.Service+"-") }
	uses := map[string]int{}
	for _, o := range im.spec.SLOs {
		uses[o.Name]++
		if short := rest(o.Name); short != o.Name {
			uses[short]++
		}
	}
	for i := range im.spec.SLOs {
		name := &im.spec.SLOs[i].Name
		short := rest(*name)
		if short == *name || uses[short] > 1 || !nameSyntax.MatchString(short) {
			continue
		}
		if p, ok := im.places[fmt.Sprintf("slos[%d].name", i)]; ok {
			im.change(p.node, p.path, fmt.Sprintf("%q is written as %q, because names of alerts begin with the service", *name, short))
		}
		*name = short
	}
}

// label converts a name to a DNS label.
func label(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case strings.ContainsRune("-_. /:", r):
			return '-'
		}
		return r // reported by validateName
	}, name), "-")
}

// label converts the name at a path of the specification to a DNS label.
func (im *importer) label(path, name string) string {
	changed := label(name)
	if p, ok := im.places[path]; ok && changed != name {
		im.change(p.node, p.path, fmt.Sprintf("%q is written as %q", name, changed))
	}
	return changed
}

// commonJob returns the job that all queries match, or "".
func (im *importer) commonJob() string {
	jobs := map[string]bool{}
	for _, o := range im.spec.SLOs {
		if !o.Indicator.Custom() {
			continue // already reported
		}
		for _, s := range (scope{}).events(o).selectors() {
			i := slices.IndexFunc(s.matchers, func(m *labels.Matcher) bool { return m.Name == semconv.LabelJob && m.Type == labels.MatchEqual })
			if i < 0 {
				return ""
			}
			jobs[s.matchers[i].Value] = true
		}
	}
	if len(jobs) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(jobs))[0]
}

// setSelector sets the selector, which other tools do not have, and reports it.
func (im *importer) setSelector() {
	if len(im.problems) > 0 {
		return
	}
	job, origin := im.commonJob(), "from the queries"
	switch {
	case len(im.options.Selector) > 0:
		im.spec.Selector, origin = im.options.Selector, "from --selector"
	case job != "":
		im.spec.Selector = map[string]string{semconv.LabelJob: job}
	default:
		im.spec.Selector, origin = map[string]string{semconv.LabelJob: im.spec.Service}, "the name of the service"
	}
	names := slices.Sorted(maps.Keys(im.spec.Selector))
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, im.spec.Selector[name]))
	}
	im.change(&yaml.Node{}, "selector", fmt.Sprintf("rules select %s (%s) where a query has no %s matcher; use --selector to change it",
		strings.Join(pairs, ","), origin, strings.Join(names, " or ")))
}

// setTelemetry sets the options that other tools do not have, and reports the defaults.
func (im *importer) setTelemetry() {
	im.spec.ScrapeInterval, im.spec.EnvironmentLabel = im.options.ScrapeInterval, im.options.EnvironmentLabel
	var assumed []string
	if im.spec.ScrapeInterval == 0 {
		assumed = append(assumed, fmt.Sprintf("a scrape interval of %s (--scrape-interval)", model.Duration(DefaultScrapeInterval)))
	}
	if im.spec.EnvironmentLabel == "" {
		assumed = append(assumed, "the environment label "+semconv.LabelEnvironment+" (--environment-label)")
	}
	if len(assumed) > 0 {
		im.change(&yaml.Node{}, "", "rules assume "+strings.Join(assumed, " and "))
	}
}
