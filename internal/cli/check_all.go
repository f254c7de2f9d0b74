package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
)

// checkedAll is the JSON document of scaffold check --all. Its keys are public.
type checkedAll struct {
	Root     string         `json:"root"` // as the user would write it
	Services []checked      `json:"services"`
	Findings []lint.Finding `json:"findings"` // about names that several services use
	Errors   int            `json:"errors"`   // total of all services
	// Unreadable has the errors of services that are not in Services.
	Unreadable []string `json:"unreadable,omitempty"`
}

func runCheckAll(ctx context.Context, g *globals, o project.Options) error {
	root, err := rootOf(o.Dir)
	if err != nil {
		return err
	}
	services, err := monorepo.Services(ctx, root)
	if err != nil {
		return err
	}
	if len(services) == 0 {
		return fmt.Errorf("no service below %s; create one with scaffold new NAME", project.RelPath(root))
	}
	report := checkedAll{Root: project.RelPath(root), Services: []checked{}, Findings: []lint.Finding{}}
	var unread []error
	report.Services, unread = g.checkEach(ctx, root, services, o)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, s := range report.Services {
		report.Errors += s.Errors
	}
	for _, clash := range monorepo.Clashes(root, services) {
		report.Findings = append(report.Findings, lint.Finding{Check: "repository", File: clash.Second, Message: clash.String()})
		report.Errors++
	}
	for _, err := range unread {
		report.Unreadable = append(report.Unreadable, err.Error())
	}
	g.printCheckedAll(report)
	if len(unread) > 0 {
		return &UnreadError{unread}
	}
	if report.Errors > 0 {
		return &FindingsError{report.Errors}
	}
	return nil
}

// UnreadError reports services that check --all cannot read, or dashboards that dashboards render cannot
// draw. The JSON document contains it.
type UnreadError struct{ Errs []error }

func (e *UnreadError) Error() string { return errors.Join(e.Errs...).Error() }

// maxChecked limits how many services are checked in parallel. Each check builds a service, and
// the go tool uses all CPUs for one build.
const maxChecked = 4

// checkEach checks the services in parallel. It returns the reports in the order of the
// services, and the errors of services that cannot be read.
func (g *globals) checkEach(ctx context.Context, root string, services []monorepo.Service, o project.Options) ([]checked, []error) {
	reports, errs := make([]checked, len(services)), make([]error, len(services))
	slots := make(chan struct{}, maxChecked)
	var running sync.WaitGroup
	for i, s := range services {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			one := o
			one.Dir = filepath.Join(project.RelPath(root), filepath.FromSlash(s.Dir))
			var err error
			if reports[i], err = g.check(ctx, one); err != nil {
				errs[i] = fmt.Errorf("%s: %w", filepath.ToSlash(one.Dir), err)
			}
		})
	}
	running.Wait()
	read := []checked{}
	for i, r := range reports {
		if errs[i] == nil {
			read = append(read, r)
		}
	}
	return read, slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// rootOf returns the named directory, else the root of the repository, else the working
// directory.
func rootOf(named string) (string, error) {
	if named != "" {
		if info, err := os.Stat(named); err != nil || !info.IsDir() {
			return "", fmt.Errorf("%s is not a directory; pass the one with the services", named)
		}
		return filepath.Abs(named)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	if root, kept := monorepo.Root(here); kept {
		return root, nil
	}
	return here, nil
}

func (g *globals) printCheckedAll(r checkedAll) {
	all := slices.Clone(r.Findings)
	for _, service := range r.Services {
		all = append(all, inDirectory(service)...)
	}
	if g.emit(r) || g.emitFindings(all) {
		return
	}
	for _, service := range r.Services {
		g.printChecked(service, inDirectory(service))
	}
	g.printFindings(r.Findings)
	if r.Errors > 0 {
		g.printf("%s: %s found\n", plural(len(r.Services), "service"), plural(r.Errors, "error"))
		return
	}
	g.printf("%s: no errors\n", plural(len(r.Services), "service"))
}
