package verify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/markdown"
)

// links checks that every link of dashboards, alerts and runbooks has an existing target: a dashboard of the
// service with the variables that the link sets, or a section of a runbook.
func (s *session) links(ctx context.Context) error {
	for _, b := range s.subject.Dashboards {
		for _, l := range b.Links {
			s.link(b.File, 0, "link "+l.Title, l.URL, b)
		}
		for _, p := range b.Panels {
			for _, l := range p.Links {
				s.link(b.File, p.Line, "link "+l.Title+" of panel "+p.Title, l.URL, b)
			}
		}
	}
	index := indexRunbooks(s.subject.Runbooks)
	withoutSection := s.withoutSection(index)
	for _, g := range s.subject.Rules {
		for _, r := range g.Rules {
			if r.IsAlert {
				s.alertLinks(g, r, index, withoutSection)
			}
		}
	}
	for _, book := range s.subject.Runbooks {
		s.runbookLinks(book, index)
	}
	return ctx.Err()
}

// link checks the address of a link on a dashboard.
func (s *session) link(file string, line int, claim, address string, b dashboardfile.Dashboard) {
	if address == "" {
		return // a list of dashboards by tag
	}
	p := report.Check{Section: sectionLinks, Name: claim, File: file, Line: line, Status: report.Passed}
	filled, unknown := dashboardfile.Fill(address, s.linkFiller(b))
	switch err := s.resolve(filled); {
	case len(unknown) > 0:
		p.Status, p.Detail = report.Failed, fmt.Sprintf("%s: ${%s} has no value", address, strings.Join(unknown, "}, ${"))
	case err != nil:
		p.Status, p.Detail = report.Failed, err.Error()
	default:
		p.Detail = "links to " + target(filled)
	}
	s.checks.Add(p)
}

// linkFiller returns the values that Grafana inserts into links, including the dashboard's variables.
func (s *session) linkFiller(b dashboardfile.Dashboard) func(name, format string) (string, bool) {
	own := map[string]string{
		"__url_time_range": "from=now-6h&to=now", "__all_variables": "", "__from": "0", "__to": "1",
	}
	var all []string
	for _, v := range b.Variables {
		own[v.Name] = "x"
		all = append(all, "var-"+v.Name+"=x")
	}
	own["__all_variables"] = strings.Join(all, "&")
	return func(name, _ string) (string, bool) {
		value, ok := own[name]
		if !ok && (strings.HasPrefix(name, "__data.") || strings.HasPrefix(name, "__value.") || strings.HasPrefix(name, "__field.") || strings.HasPrefix(name, "__series.")) {
			return "x", true
		}
		return value, ok
	}
}

// resolve checks that the dashboard exists and has the variables that the address sets.
func (s *session) resolve(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%s is not an address", address)
	}
	uid, ok := dashboardUID(u.Path)
	if !ok {
		return nil // another page of Grafana or of another site
	}
	i := slices.IndexFunc(s.subject.Dashboards, func(b dashboardfile.Dashboard) bool { return b.UID == uid })
	if i < 0 {
		return fmt.Errorf("%s links to the dashboard %s, which does not exist", address, uid)
	}
	var problems []error
	for name := range u.Query() {
		variable, ok := strings.CutPrefix(name, "var-")
		if ok && !slices.ContainsFunc(s.subject.Dashboards[i].Variables, func(v dashboardfile.Variable) bool { return v.Name == variable }) && !common(s.subject.Dashboards, variable) {
			problems = append(problems, fmt.Errorf("%s sets %s, which is not a variable of the dashboard %s", address, variable, uid))
		}
	}
	return errors.Join(problems...)
}

// common reports whether any dashboard has the variable. A link that passes all variables may pass one that
// its target does not use.
func common(dashboards []dashboardfile.Dashboard, variable string) bool {
	return slices.ContainsFunc(dashboards, func(b dashboardfile.Dashboard) bool {
		return slices.ContainsFunc(b.Variables, func(v dashboardfile.Variable) bool { return v.Name == variable })
	})
}

func dashboardUID(p string) (string, bool) {
	_, rest, ok := strings.Cut(p, "/d/")
	uid, _, _ := strings.Cut(rest, "/")
	return uid, ok && uid != ""
}

func target(address string) string {
	if u, err := url.Parse(address); err == nil {
		if uid, ok := dashboardUID(u.Path); ok {
			return "the dashboard " + uid
		}
	}
	return address
}

// action matches a template action, which the alert expands.
var action = regexp.MustCompile(`\{\{.*?\}\}`)

// alertLinks checks the annotations of an alert that are addresses, and that it has a section in a runbook.
func (s *session) alertLinks(g rulesim.Group, r rulesim.Rule, x runbookIndex, withoutSection map[string]bool) {
	if address := r.Annotations.Get("dashboard_url"); address != "" {
		err := s.resolve(action.ReplaceAllString(address, "x"))
		s.reportLink(g.File, "dashboard of the alert "+r.Name, target(address), err)
	}
	if address := r.Annotations.Get("runbook_url"); address != "" {
		section, err := x.address(address)
		s.reportLink(g.File, "runbook of the alert "+r.Name, section, err)
	}
	if withoutSection[r.Name] {
		s.reportLink(g.File, "runbook of the alert "+r.Name, "", fmt.Errorf("no runbook has a section with the heading %s", r.Name))
	}
}

func (s *session) reportLink(file, name, detail string, err error) {
	p := report.Check{Section: sectionLinks, Name: name, File: file, Status: report.Passed, Detail: detail}
	if err != nil {
		p.Status, p.Detail = report.Failed, err.Error()
	}
	s.checks.Add(p)
}

// runbookIndex has the anchors of runbooks by the name of the file, without directory. Files with the same
// name share an entry.
type runbookIndex map[string][]string

func indexRunbooks(books []Runbook) runbookIndex {
	x := runbookIndex{}
	for _, b := range books {
		name := path.Base(strings.ReplaceAll(b.File, `\`, "/"))
		x[name] = append(x[name], markdown.Anchors(string(b.Data))...)
	}
	return x
}

// find returns an error if the file does not exist or does not have the anchor; an empty anchor is the file.
func (x runbookIndex) find(name, anchor string) error {
	anchors, ok := x[name]
	switch {
	case !ok:
		return fmt.Errorf("the runbook %s does not exist", name)
	case anchor != "" && !slices.Contains(anchors, anchor):
		return fmt.Errorf("the runbook %s has no heading with the anchor %s", name, anchor)
	}
	return nil
}

// address returns the file and anchor that the address of a runbook ends in.
func (x runbookIndex) address(address string) (section string, err error) {
	u, err := url.Parse(action.ReplaceAllString(address, "x"))
	if err != nil {
		return "", fmt.Errorf("%s is not an address", address)
	}
	section = path.Base(u.Path)
	if err := x.find(section, u.Fragment); err != nil {
		return "", fmt.Errorf("%s: %w", address, err)
	}
	if u.Fragment != "" {
		section += "#" + u.Fragment
	}
	return section, nil
}

// withoutSection returns the alerts of the specification without a section, none if no alert has one: then the
// runbooks are elsewhere.
func (s *session) withoutSection(x runbookIndex) map[string]bool {
	if s.subject.Simulation == nil {
		return nil
	}
	sections := map[string]bool{}
	for _, anchors := range x {
		for _, anchor := range anchors {
			sections[anchor] = true
		}
	}
	without, some := map[string]bool{}, false
	for _, a := range s.subject.Simulation.Rules.Alerts {
		if sections[markdown.Anchor(a.Name)] {
			some = true
		} else {
			without[a.Name] = true
		}
	}
	if !some {
		return nil
	}
	return without
}

// markdownLink matches [text](address).
var markdownLink = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)`)

// runbookLinks checks the links of a runbook.
func (s *session) runbookLinks(book Runbook, x runbookIndex) {
	text := string(book.Data)
	own := markdown.Anchors(text)
	for _, m := range markdownLink.FindAllStringSubmatchIndex(text, -1) {
		name, address := text[m[2]:m[3]], text[m[4]:m[5]]
		p := report.Check{
			Section: sectionLinks, Name: "link " + name + " of the runbook", File: book.File,
			Line: strings.Count(text[:m[0]], "\n") + 1, Status: report.Passed, Detail: "links to " + target(address),
		}
		err := s.resolve(address)
		if file, anchor, _ := strings.Cut(address, "#"); !strings.Contains(address, "://") {
			switch {
			case file == "" && !slices.Contains(own, anchor):
				err = fmt.Errorf("no heading has the anchor %s", anchor)
			case strings.HasSuffix(file, ".md"):
				err = x.find(path.Base(file), anchor)
			}
		}
		if err != nil {
			p.Status, p.Detail = report.Failed, err.Error()
		}
		s.checks.Add(p)
	}
}

// fillIn is Fill for texts whose variables all exist.
func fillIn(text string, value func(name, format string) (string, bool)) string {
	filled, _ := dashboardfile.Fill(text, value)
	return filled
}
