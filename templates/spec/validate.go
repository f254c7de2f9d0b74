package spec

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/slo"
)

// validator records problems of a spec: at the key's position in the document, or in problems
// if the values are not from a file.
type validator struct {
	doc      *yamldoc.Document
	s        Service
	problems diagnostic.List
}

func (v *validator) problemf(path, format string, args ...any) {
	if v.doc != nil {
		if path == "plural" && !v.doc.Has(path) {
			path = "resource" // the plural follows from it
		}
		v.doc.Problemf(path, format, args...)
		return
	}
	v.problems = append(v.problems, diagnostic.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) check(path string, err error) {
	if err != nil {
		v.problemf(path, "%v", err)
	}
}

func (v *validator) apiVersion() {
	switch v.s.APIVersion {
	case APIVersion:
	case "":
		v.problemf("apiVersion", "the version of the spec is missing; write %s", APIVersion)
	default:
		v.problemf("apiVersion", "%s is not supported by this scaffold; write %s, or install a newer scaffold",
			abbreviate(v.s.APIVersion), APIVersion)
	}
}

// own checks the keys that describe a single service.
func (v *validator) own() {
	v.check("service", CheckName(v.s.Name))
	v.check("description", checkText(v.s.Description, slo.MaxTextLength))
	v.check("owner", CheckOwner(v.s.Owner))
	v.check("module", CheckModule(v.s.Module))
	v.moduleDirectory()
	v.components()
	v.check("pattern", CheckPattern(v.s.Pattern))
	if err := CheckResource(v.s.Resource); err != nil {
		v.check("resource", err)
		return // the resource is invalid, so a problem of the plural is noise
	}
	v.check("plural", CheckPlural(v.s.Resource, v.s.Plural))
}

// moduleDirectory checks the directory of a service that is part of a module.
func (v *validator) moduleDirectory() {
	below := v.s.ModuleDirectory
	if below == "" {
		return
	}
	if err := CheckDirectory(below); err != nil {
		v.check("moduleDirectory", err)
		return
	}
	if !strings.HasSuffix(v.s.Module, "/"+below) {
		v.problemf("moduleDirectory", "the module %s does not end in %s; write the import path of the directory as the module", abbreviate(v.s.Module), below)
	}
	if directory := v.s.Deploy.Directory; directory != below && !strings.HasSuffix(directory, "/"+below) {
		v.problemf("moduleDirectory", "%s is not the end of deploy.directory, which is %s; the module lies within the repository", below, abbreviate(directory))
	}
}

// shared checks the keys that a file of defaults may contain, too.
func (v *validator) shared() {
	if v.doc.Has("owner") {
		v.check("owner", checkOwnerText(v.s.Owner))
	}
	v.listeners()
	v.observed()
	v.links()
	v.oneOfEach("files", "file", v.s.Files, OptionalFiles())
	v.deploy()
}

func (v *validator) listeners() {
	if port := v.s.HTTP.Port; port < 1 || port > 65535 {
		v.problemf("http.port", "%d is not a port; use 1 to 65535", port)
	}
	host, port, err := net.SplitHostPort(v.s.Admin.Addr)
	if err != nil {
		v.problemf("admin.addr", "%s is not host:port; write one such as 127.0.0.1:9464", abbreviate(v.s.Admin.Addr))
		return
	}
	if !isHost(host) {
		v.problemf("admin.addr", "%s is not a host; write an address such as 127.0.0.1, or nothing for all of them", abbreviate(host))
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || port != strconv.Itoa(n) {
		v.problemf("admin.addr", "%s is not a port; use 1 to 65535", abbreviate(port))
		return
	}
	if n == v.s.HTTP.Port {
		v.problemf("admin.addr", "port %d is also http.port; use different ports", n)
	}
}

// observed checks the input of the rules with the rules of package slo.
func (v *validator) observed() {
	v.s.SLO().Validate(reporter{v})
	pages := func(o slo.Objective) bool { return len(o.GroupBy) == 0 }
	if len(v.s.SLOs) > 0 && !slices.ContainsFunc(v.s.SLOs, pages) {
		v.problemf("slos[0].groupBy", "every objective has groupBy, and grouped objectives do not page; add one without groupBy, such as {name: availability, objective: 99.9, indicator: {availability: {}}}")
	}
	for _, name := range slices.Sorted(maps.Keys(v.s.Telemetry.Selector)) {
		if v.s.Telemetry.Selector[name] == "" {
			v.problemf("telemetry.selector."+name, "the value is empty and would select everything without the label; write a value")
		}
	}
	for _, severity := range []struct{ key, value string }{
		{"page", v.s.Alerting.Severities.Page}, {"ticket", v.s.Alerting.Severities.Ticket},
	} {
		if severity.value == "" {
			v.problemf("alerting.severities."+severity.key, "the value is empty; write the severity that your Alertmanager routes")
		}
	}
	if t := v.s.Telemetry; !(t.TraceRatio >= 0 && t.TraceRatio <= 1) {
		v.problemf("telemetry.traceRatio", "%v is not a ratio; use 0 to 1", t.TraceRatio)
	}
	v.check("telemetry.histograms", checkOneOf("kind of histogram", v.s.Telemetry.Histograms, Histograms()))
	v.countable()
}

// countable rejects latency objectives without buckets. Their rules read a bucket with the
// threshold as its bound; for an idle histogram they use the counter of requests instead, which
// would hide the missing data.
func (v *validator) countable() {
	if v.s.Telemetry.Histograms != histogramsNative {
		return
	}
	for i, o := range v.s.SLOs {
		if l := o.Indicator.Latency; l != nil && l.Histogram == "" {
			v.problemf("telemetry.histograms", "native histograms have no bucket for slos[%d].indicator.latency to count, so that %q would never fire; write both, or remove the objective", i, o.Name)
		}
	}
}

// reporter records problems of package slo at the keys of the service spec.
type reporter struct{ v *validator }

// Problemf implements [slo.Reporter].
func (r reporter) Problemf(path, format string, args ...any) { r.ProblemAtf(path, 0, format, args...) }

// ProblemAtf implements [slo.Reporter].
func (r reporter) ProblemAtf(path string, offset int, format string, args ...any) {
	switch topKey(path) {
	case "apiVersion", "service", "description", "owner": // checked by own, with the stricter rules of generated code
		return
	case "selector", "environmentLabel", "groupBy", "scrapeInterval", "metrics":
		path = "telemetry." + path
	case "replicas":
		path = "deploy." + path
	}
	if r.v.doc != nil {
		r.v.doc.ProblemAtf(path, offset, format, args...)
		return
	}
	r.v.problemf(path, format, args...)
}

// links checks what package slo does not: that links contain no password, and that the branch
// for repository links can exist.
func (v *validator) links() {
	l := v.s.Links
	for _, link := range []struct{ key, value string }{
		{"repository", l.Repository}, {"runbooks", l.Runbooks}, {"grafana", l.Grafana}, {"alertmanager", l.Alertmanager},
	} {
		if u, err := url.Parse(link.value); err == nil && u.User != nil {
			v.problemf("links."+link.key, "the address contains a user name or password; remove it, because everybody can see links")
		}
	}
	if l.Branch == "" || strings.HasPrefix(l.Branch, "-") || strings.Contains(l.Branch, "..") || strings.ContainsFunc(l.Branch, notInBranch) {
		v.problemf("links.branch", "%s is not the name of a branch; write one such as main", abbreviate(l.Branch))
	}
}

// isHost accepts what a listener does: nothing, an address or a name. The host appears in files
// for make and shells, so everything else is rejected.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return !strings.Contains(host, "%") // a zone is any text
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// notInBranch follows git-check-ref-format.
func notInBranch(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) }
