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

// kind is a kind of files: rule files or dashboards.
type kind struct {
	rule           string // for a file that does not parse
	named, endings []string
	add            func(name string, src []byte, found bool)
}

// Read reads rule files, dashboards, directories of them, and their exclusion files. It returns
// the JSON files in directories that are not dashboards. It stops between files if the context
// ends.
func (o *LintInput) Read(ctx context.Context, rules, dashboards []string) (skipped []string, err error) {
	var files []string // arguments that are not directories
	kinds := []kind{
		{"rule-file", rules, ruleEndings(), o.addRuleFile},
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
				return nil, userfile.ExplainMissing(name, err)
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
		return nil, o.noFilesError(slices.Concat(rules, dashboards))
	}
	o.runbooks = o.hasRunbooks()
	return skipped, o.readExclusions(o.searched, files)
}

func (o *LintInput) noFilesError(paths []string) error {
	slices.Sort(paths)
	except := ""
	if len(o.HelmTemplates) > 0 {
		except = " except Helm templates; " + RenderHelm
	}
	return fmt.Errorf("no rule files or dashboards in %s%s", strings.Join(slices.Compact(paths), ", "), except)
}

// readOne reads a file. Found means that it was found in a directory; an unreadable file is then
// a finding instead of an error.
func (o *LintInput) readOne(k kind, file string, found bool) error {
	src, err := userfile.Read(file, userfile.LargeLimit)
	switch {
	case err == nil:
		k.add(filepath.ToSlash(file), src, found)
	case found:
		f := lint.ParseFindings(k.rule, filepath.ToSlash(file), err)[0]
		f.Warning = userfile.Regular(file) != nil // a FIFO or device, which has nothing to check
		o.broken = append(o.broken, f)
	default:
		return userfile.ExplainMissing(file, err)
	}
	return nil
}

// HasRead reports whether Read has read the file.
func (o *LintInput) HasRead(file string) bool { return o.read[filepath.ToSlash(file)] }

// HasChecked reports whether Read has read the file, or would have read it if it still existed.
func (o *LintInput) HasChecked(file string) bool {
	if o.HasRead(file) {
		return true
	}
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist) && slices.ContainsFunc(o.searched, func(dir string) bool { return lint.IsBelow(dir, file) })
}

func inDir(dir string, endings []string) []string {
	found := FindFiles(dir, ".", endings...)
	for i := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(found[i]))
	}
	return found
}

// withoutCopies removes each PrometheusRule whose groups are all in rule files, too: it is the
// copy for the operator. It keeps named files and files without groups.
func withoutCopies(files []rulefile.File, named []string) []rulefile.File {
	inFiles := map[string]bool{}
	for _, f := range files {
		for _, g := range f.Groups {
			inFiles[semantics(g)] = inFiles[semantics(g)] || !f.Resource
		}
	}
	isOriginal := func(g rulefile.Group) bool { return !inFiles[semantics(g)] }
	return slices.DeleteFunc(files, func(f rulefile.File) bool {
		isNamed := slices.ContainsFunc(named, func(n string) bool { return filepath.ToSlash(filepath.Clean(n)) == f.Name })
		return f.Resource && !isNamed && len(f.Groups) > 0 && !slices.ContainsFunc(f.Groups, isOriginal)
	})
}

// semantics returns the meaning of a group, independent of its format.
func semantics(g rulefile.Group) string {
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

// addRuleFile reads a rule file. It skips other files that were found in a directory, such as the
// configuration of Alertmanager.
func (o *LintInput) addRuleFile(name string, src []byte, found bool) {
	if !userfile.Marked(src, rulefile.Marks()...) {
		if found {
			return
		}
		if _, err := exposition.Parse(name, src); err == nil {
			o.broken = append(o.broken, lint.Finding{Rule: "rule-file", File: name, Message: "not a rule file but a page of metrics; pass it with --metrics"})
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
	o.broken = append(o.broken, lint.Finding{Rule: "rule-file", File: name, Message: "not a rule file but a Helm template; " + RenderHelm})
}

// RenderHelm is the advice for a Helm template.
const RenderHelm = "run helm template and pass its output"

// readExclusions reads the exclusion files below directories and next to files.
func (o *LintInput) readExclusions(dirs, files []string) error {
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

// hasRunbooks reports whether any alert has a runbook. If so, those without one are reported.
func (o *LintInput) hasRunbooks() bool {
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

// addDashboard reads a dashboard. It returns false for a file that was found in a directory and
// is not a dashboard.
func (o *LintInput) addDashboard(name string, src []byte, found bool) bool {
	dashboard, err := dashboardfile.Parse(name, src)
	_, isOther := errors.AsType[*dashboardfile.OtherJSONError](err)
	_, isBroken := errors.AsType[*json.SyntaxError](err)
	if found && (isOther || isBroken && !bytes.Contains(src, []byte(`"panels"`))) {
		return false
	}
	if err != nil {
		broken := lint.ParseFindings("dashboard-file", name, err)
		broken[0].Warning = found && !isBroken // a format that is not supported
		o.broken = append(o.broken, broken...)
		return true
	}
	o.Dashboards = append(o.Dashboards, dashboard)
	return true
}
