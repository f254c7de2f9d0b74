package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// kind is rule files or dashboards.
type kind struct {
	rule           string // of a file that does not parse
	named, endings []string
	add            func(name string, src []byte, found bool)
}

// Read reads rule files and dashboards, or directories of them, and the exclusions beside them.
// It returns the JSON files of directories that are not dashboards. It stops between two files
// when the context ends.
func (o *Observed) Read(ctx context.Context, rules, dashboards []string) (skipped []string, err error) {
	var files []string // that were named
	kinds := []kind{
		{"rule-file", rules, ruleEndings(), o.addRulesFound},
		{"dashboard-file", dashboards, dashboardEndings(), func(name string, src []byte, found bool) {
			if !o.addDashboard(name, src, found) {
				skipped = append(skipped, name)
			}
		}},
	}
	o.read, o.searched = map[string]bool{}, nil
	for _, kind := range kinds {
		for _, name := range kind.named {
			info, err := os.Stat(name)
			if err != nil {
				return nil, userfile.Named(name, err)
			}
			read := []string{name}
			if info.IsDir() {
				o.searched = append(o.searched, name)
				read = inDir(name, kind.endings)
			} else {
				files = append(files, name)
			}
			for _, file := range read {
				file = filepath.Clean(file)
				if o.HasRead(file) {
					continue
				}
				o.read[filepath.ToSlash(file)] = true
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				if err := o.readOne(kind, file, info.IsDir()); err != nil {
					return nil, err
				}
			}
		}
	}
	o.someFilesUnread = len(files)+len(o.HelmTemplates) > 0
	for _, kind := range kinds {
		for _, dir := range o.searched {
			unread := func(file string) bool { return !o.HasRead(filepath.Clean(file)) }
			o.someFilesUnread = o.someFilesUnread || slices.ContainsFunc(inDir(dir, kind.endings), unread)
		}
	}
	o.Rules = withoutCopies(o.Rules, files)
	if len(o.Rules)+len(o.Dashboards)+len(o.broken) == 0 {
		return nil, o.nothingIn(slices.Concat(rules, dashboards))
	}
	o.runbooks = o.keepsRunbooks()
	return skipped, o.excludeFrom(o.searched, files)
}

func (o *Observed) nothingIn(paths []string) error {
	slices.Sort(paths)
	except := ""
	if len(o.HelmTemplates) > 0 {
		except = " except Helm templates; " + RenderHelm
	}
	return fmt.Errorf("no rule files and no dashboards in %s%s", strings.Join(slices.Compact(paths), ", "), except)
}

// readOne reads a file that was named, or was found in a directory that was.
func (o *Observed) readOne(k kind, file string, found bool) error {
	src, err := userfile.Read(file, userfile.LargeLimit)
	switch {
	case err == nil:
		k.add(filepath.ToSlash(file), src, found)
	case found:
		f := lint.Broken(k.rule, filepath.ToSlash(file), err)[0]
		f.Warning = userfile.Regular(file) != nil // as of a FIFO, which holds nothing to check
		o.broken = append(o.broken, f)
	default:
		return userfile.Named(file, err)
	}
	return nil
}

// HasRead says whether Read has read the file.
func (o *Observed) HasRead(file string) bool { return o.read[filepath.ToSlash(file)] }

// HasChecked says whether Read has read the file, or would have found it if it still existed.
func (o *Observed) HasChecked(file string) bool {
	if o.HasRead(file) {
		return true
	}
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist) && slices.ContainsFunc(o.searched, func(dir string) bool { return lint.IsBelow(dir, file) })
}

func inDir(dir string, endings []string) []string {
	found := Below(dir, ".", endings...)
	for i := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(found[i]))
	}
	return found
}

// withoutCopies leaves out each PrometheusRule that has the groups of rule files: it hands the
// same rules to an operator. It keeps files that were named, and those without groups.
func withoutCopies(files []rulefile.File, named []string) []rulefile.File {
	inFiles := map[string]bool{}
	for _, f := range files {
		for _, g := range f.Groups {
			inFiles[content(g)] = inFiles[content(g)] || !f.Resource
		}
	}
	isOriginal := func(g rulefile.Group) bool { return !inFiles[content(g)] }
	return slices.DeleteFunc(files, func(f rulefile.File) bool {
		isNamed := slices.ContainsFunc(named, func(n string) bool { return filepath.ToSlash(filepath.Clean(n)) == f.Name })
		return f.Resource && !isNamed && len(f.Groups) > 0 && !slices.ContainsFunc(f.Groups, isOriginal)
	})
}

// content is what a server makes of a group, however it is written.
func content(g rulefile.Group) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Name, g.Interval, g.QueryOffset)
	for _, r := range g.Rules {
		expr := r.Expr
		if r.Tree != nil {
			expr = r.Tree.String()
		}
		fmt.Fprintf(&b, "%s %s %s %s %v %v\n", r.Name(), expr, r.For, r.KeepFiringFor, r.Labels, r.Annotations)
	}
	return b.String()
}

// addRulesFound leaves out what is in a directory of rules and is something else,
// such as the configuration of Alertmanager.
func (o *Observed) addRulesFound(name string, src []byte, found bool) {
	if !userfile.Marked(src, rulefile.Marks()...) {
		if found {
			return
		}
		if _, err := exposition.Parse(name, src); err == nil {
			o.broken = append(o.broken, lint.Finding{Rule: "rule-file", File: name, Message: "a page of metrics, not a rule file; pass it with --metrics"})
			return
		}
	}
	before := *o
	o.addRules(name, src)
	isBroken := slices.ContainsFunc(o.broken[len(before.broken):], func(f lint.Finding) bool { return !f.Warning })
	if !isChartTemplate(name, src) && (!isBroken || !hasHelmAction(src)) {
		return
	}
	o.Rules, o.broken = before.Rules, before.broken
	if found {
		o.HelmTemplates = append(o.HelmTemplates, name)
		return
	}
	o.broken = append(o.broken, lint.Finding{Rule: "rule-file", File: name, Message: "a Helm template, not a rule file; " + RenderHelm})
}

// RenderHelm is what to do about a template of Helm.
const RenderHelm = "run helm template, and pass its output"

// excludeFrom reads the exclusions of directories and below, and those beside files.
func (o *Observed) excludeFrom(dirs, files []string) error {
	var names []string
	for _, dir := range dirs {
		names = append(names, inDir(dir, lint.FileNames())...)
	}
	for _, file := range files {
		for _, name := range lint.FileNames() {
			names = append(names, filepath.Join(filepath.Dir(file), name))
		}
	}
	for i, name := range names {
		names[i] = filepath.Clean(name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		src, err := userfile.Read(name, userfile.Limit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		o.read[filepath.ToSlash(name)] = true
		o.addExclusions(filepath.ToSlash(name), src)
	}
	return nil
}

// keepsRunbooks says whether these alerts have runbooks: one that has none among
// them was forgotten.
func (o *Observed) keepsRunbooks() bool {
	for _, f := range o.Rules {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				if r.Annotations["runbook_url"] != "" {
					return true
				}
			}
		}
	}
	return false
}

// addDashboard reads a dashboard, and says whether the file may be one. One that was
// found in a directory need not be.
func (o *Observed) addDashboard(name string, src []byte, found bool) bool {
	dashboard, err := dashboardfile.Parse(name, src)
	_, isOther := errors.AsType[*dashboardfile.OtherJSONError](err)
	_, isBroken := errors.AsType[*json.SyntaxError](err)
	if found && (isOther || isBroken && !bytes.Contains(src, []byte(`"panels"`))) {
		return false
	}
	if err != nil {
		broken := lint.Broken("dashboard-file", name, err)
		broken[0].Warning = found && !isBroken // a form that is not read
		o.broken = append(o.broken, broken...)
		return true
	}
	o.Dashboards = append(o.Dashboards, dashboard)
	return true
}
