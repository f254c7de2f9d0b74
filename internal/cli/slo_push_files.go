package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/observability-first/scaffold/internal/push/mimir"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// readRuleGroups reads all groups of the files and directories, and reports every problem
// before the first request.
func readRuleGroups(paths []string, namespace string) ([]pushedGroup, error) {
	files, err := deliverable(paths, "rules", ".rules.yaml", "holds no .rules.yaml file; compile some with scaffold slo -o")
	if err != nil {
		return nil, err
	}
	var all []pushedGroup
	var problems diagnostic.List
	var errs []error
	for _, file := range files {
		groups, err := readRuleFile(file, namespace)
		if list, ok := errors.AsType[diagnostic.List](err); ok {
			problems = append(problems, list...)
		} else if err != nil {
			errs = append(errs, err)
		}
		all = append(all, groups...)
	}
	// Problems have places and source lines; they are reported alone.
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no group of rules; there is nothing to push", strings.Join(files, ", "))
	}
	return all, unique(all)
}

func readRuleFile(file, namespace string) ([]pushedGroup, error) {
	src, err := userfile.Read(file, userfile.LargeLimit)
	if err != nil {
		return nil, err
	}
	name := filepath.ToSlash(file)
	if _, err := rulefile.Parse(name, src); err != nil {
		return nil, err
	}
	groups, err := mimir.Read(src, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []pushedGroup
	for _, g := range groups {
		if namespace != "" {
			g.Namespace = namespace
		}
		all = append(all, pushedGroup{File: name, Namespace: g.Namespace, Group: g.Name, Rules: g.Rules, Written: writtenNo, group: g})
	}
	return all, nil
}

// unique rejects groups that would replace each other.
func unique(groups []pushedGroup) error {
	var errs []error
	owners := map[[2]string]string{}
	for _, p := range groups {
		key := [2]string{p.Namespace, p.Group}
		if other, twice := owners[key]; twice {
			errs = append(errs, fmt.Errorf("%s: group %s of namespace %s is that of %s, too; one would replace the other", p.File, p.Group, p.Namespace, other))
		}
		owners[key] = p.File
	}
	return errors.Join(errs...)
}
