package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

// goVersionCheck finds files that use another Go version than go.mod.
type goVersionCheck struct{}

func (goVersionCheck) Name() string { return "go-version" }

// goPins matches Go versions of images and of actions/setup-go.
var goPins = regexp.MustCompile(`(?m)(?:\bgolang:|^\s*go-version:\s*['"]?)(\d+\.\d+(?:\.\d+)?)`)

// goPinned lists the files that may have a Go version.
var goPinned = []string{"Dockerfile", ".gitlab-ci.yml", "Jenkinsfile", ".github/workflows/*.yml", ".github/workflows/*.yaml"}

func (goVersionCheck) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	mod, err := project.ReadModule(t.Dir)
	if err != nil || mod == nil || mod.Go == nil {
		return nil, err
	}
	want := mod.Go.Version
	if mod.Toolchain != nil {
		want = strings.TrimPrefix(mod.Toolchain.Name, "go")
	}
	var findings []lint.Finding
	for _, pattern := range goPinned {
		files, err := fs.Glob(os.DirFS(t.Dir), pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			src, err := userfile.ReadOptional(filepath.Join(t.Dir, file), userfile.LargeLimit)
			if err != nil {
				return nil, err
			}
			findings = append(findings, otherGoVersions(file, src, want, mod.Toolchain != nil)...)
		}
	}
	return findings, nil
}

// otherGoVersions finds Go versions that differ from go.mod. Without a toolchain line, go.mod has
// the oldest supported version, so that any patch version of it is allowed. A version without a
// patch selects the newest one and is allowed, too.
func otherGoVersions(file string, src []byte, want string, exact bool) []lint.Finding {
	var findings []lint.Finding
	for _, match := range goPins.FindAllSubmatchIndex(src, -1) {
		have := string(src[match[2]:match[3]])
		if have == want || minor(have) == minor(want) && (!exact || have == minor(have)) {
			continue
		}
		findings = append(findings, lint.Finding{
			File: file, Line: lineOf(src, match[2]),
			Message: fmt.Sprintf("builds with Go %s but go.mod has %s; use the same version", have, want),
		})
	}
	return findings
}

func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// replaceCheck warns of replace directives that point outside of the repository, which build on
// one machine only.
type replaceCheck struct{}

func (replaceCheck) Name() string { return "replace" }

func (replaceCheck) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	mod, err := project.ReadModule(t.Dir)
	if err != nil || mod == nil {
		return nil, err
	}
	dir, err := filepath.Abs(t.Dir)
	if err != nil {
		return nil, err
	}
	top, kept := monorepo.Root(dir)
	if !kept {
		top = dir
	}
	var findings []lint.Finding
	for _, r := range mod.Replace {
		if r.New.Version != "" {
			continue // another module, not a directory
		}
		target := r.New.Path
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, filepath.FromSlash(target))
		}
		if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
			advice := fmt.Sprintf("correct the path with go mod edit -replace=%s=DIR", r.Old.Path)
			if r.Old.Path == project.RuntimeImport() {
				if t.Ask != nil && project.CheckModule(t.Dir) != nil {
					continue // the build of the service reports it
				}
				advice = project.MovedRuntime(t.Dir)
			}
			findings = append(findings, lint.Finding{
				File: "go.mod", Line: r.Syntax.Start.Line, Warning: true,
				Message: fmt.Sprintf("%s is replaced by %s, which does not exist; %s", r.Old.Path, r.New.Path, advice),
			})
			continue
		}
		if project.Outside(top, target) {
			findings = append(findings, lint.Finding{
				File: "go.mod", Line: r.Syntax.Start.Line, Warning: true,
				Message: fmt.Sprintf("%s is replaced by %s, outside of this repository; a clone on another machine does not build. Remove /vendor/ from .gitignore and commit vendor/ (make vendor), or require a released version", r.Old.Path, r.New.Path),
			})
		}
	}
	return findings, nil
}

// variablesCheck finds environment variables in files of the service that the service does not
// read or whose values it rejects.
type variablesCheck struct{}

func (variablesCheck) Name() string { return "variables" }

// setVariable matches ENV NAME=value in a Dockerfile, and NAME=value before a command in a
// Makefile.
var setVariable = map[string]*regexp.Regexp{
	"Dockerfile": regexp.MustCompile(`(?m)^ENV\s+([A-Z][A-Z0-9_]*)=`),
	"Makefile":   regexp.MustCompile(`(?m)(?:^\t@?|[ \t])([A-Z][A-Z0-9_]*)=\S`),
}

func (variablesCheck) Run(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	if t.Ask == nil {
		return nil, nil
	}
	table, err := t.Ask(ctx, "config")
	if err != nil {
		return nil, nil //nolint:nilerr // signalsCheck reports it
	}
	var known []string
	var timeout time.Duration
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		known = append(known, fields[0])
		if fields[0] == requestTimeout && len(fields) > valueColumn {
			timeout, _ = time.ParseDuration(fields[valueColumn])
		}
	}
	findings, err := thresholdsAboveTimeout(t, timeout)
	if err != nil {
		return nil, err
	}
	for _, file := range []string{"Dockerfile", "Makefile"} {
		src, err := userfile.ReadOptional(filepath.Join(t.Dir, file), userfile.LargeLimit)
		if err != nil {
			return nil, err
		}
		for _, match := range setVariable[file].FindAllSubmatchIndex(src, -1) {
			name := string(src[match[2]:match[3]])
			if slices.Contains(known, name) || isToolVariable(name) {
				continue
			}
			findings = append(findings, lint.Finding{
				File: file, Line: lineOf(src, match[2]),
				Message: unknownVariable(name, known),
			})
		}
	}
	more, err := checkOverlays(ctx, t, known)
	return append(findings, more...), err
}

const (
	requestTimeout = "HTTP_REQUEST_TIMEOUT"
	valueColumn    = 3 // of the config command's output
)

// thresholdsAboveTimeout warns of latency objectives that no request can miss, since requests
// time out before.
func thresholdsAboveTimeout(t project.Target, timeout time.Duration) ([]lint.Finding, error) {
	doc, err := readSpec(t.Dir)
	if err != nil || timeout == 0 {
		return nil, err
	}
	var found []lint.Finding
	for i, o := range doc.objectives {
		if o.Indicator.Latency == nil || o.Indicator.Custom() || o.Indicator.Latency.Threshold < timeout {
			continue
		}
		f := doc.at(fmt.Sprintf("slos[%d].indicator.latency.threshold", i)).WithMessagef("requests except streams end after %s=%s and cannot exceed the threshold %s; lower the threshold or raise the timeout",
			requestTimeout, timeout, o.Indicator.Latency.Threshold)
		f.Warning = true
		found = append(found, f)
	}
	return found, nil
}

// isToolVariable reports whether a tool that these files call reads the environment variable.
func isToolVariable(name string) bool {
	return slices.Contains([]string{"CGO_ENABLED", "GOFLAGS", "GOTOOLCHAIN", "GOOS", "GOARCH", "GOWORK", "VERSION", "ARCH", "IMAGE", "PUSH", "SOURCE_DATE_EPOCH", "CI"}, name)
}

func lineOf(src []byte, offset int) int {
	return strings.Count(string(src[:offset]), "\n") + 1
}

// rulesCheck reports what slo.Compile left out, such as a link without a base URL or an alert
// that can never fire.
type rulesCheck struct{}

func (rulesCheck) Name() string { return "rules" }

func (rulesCheck) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	rules, err := slo.Compile(t.Service.SLO())
	if err != nil {
		return nil, err
	}
	doc, err := readSpec(t.Dir)
	if err != nil {
		return nil, err
	}
	var findings []lint.Finding
	for _, note := range rules.Notes {
		f := lint.Finding{File: spec.FileName}
		name, _, _ := strings.Cut(note, ": ")
		if i := slices.IndexFunc(doc.objectives, func(o slo.Objective) bool { return o.Name == name }); i >= 0 {
			f.Line, f.Column = doc.Place(fmt.Sprintf("slos[%d]", i), 0)
		}
		f.Message, f.Warning = note, true
		findings = append(findings, f)
	}
	return findings, nil
}
