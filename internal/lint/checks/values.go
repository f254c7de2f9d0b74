package checks

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// variableProblem matches an error of the service about an environment variable.
var variableProblem = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)[=:\[ ]`)

// overlayConfig is the config.env of one overlay.
type overlayConfig struct {
	file string // relative to the service
	set  []assignment
}

// assignment is a line NAME=value.
type assignment struct {
	name, value string
	line        int
}

// assignments parses a file as Kustomize does, which keeps trailing spaces of values.
func assignments(src []byte) []assignment {
	var out []assignment
	number := 0
	for line := range strings.Lines(string(src)) {
		number++
		name, value, found := strings.Cut(strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t"), "=")
		if found && !strings.HasPrefix(name, "#") {
			out = append(out, assignment{name, value, number})
		}
	}
	return out
}

// overlayConfigs returns the config.env files that set environment variables.
func overlayConfigs(dir string) ([]overlayConfig, error) {
	files, err := filepath.Glob(filepath.Join(dir, overlaysDir, "*", configFile))
	var out []overlayConfig
	for _, file := range files {
		src, err := userfile.Read(file, userfile.Limit)
		if err != nil {
			return nil, err
		}
		if set := assignments(src); len(set) > 0 {
			out = append(out, overlayConfig{path.Join(overlaysDir, filepath.Base(filepath.Dir(file)), configFile), set})
		}
	}
	return out, err
}

// unknown finds environment variables that the service does not read.
func (o overlayConfig) unknown(known []string) []lint.Finding {
	var found []lint.Finding
	for _, v := range o.set {
		if !slices.Contains(known, v.name) && !isLibraryVariable(v.name) {
			found = append(found, lint.Finding{File: o.file, Line: v.line, Message: unknownVariable(v.name, known)})
		}
	}
	return found
}

func unknownVariable(name string, known []string) string {
	return fmt.Sprintf("unknown environment variable %s%s", name, diagnostic.DidYouMean(name, known))
}

// rejected finds values that the service rejects. It runs the service's config command with the
// variables of the overlay, and removes those in known from the environment.
func (o overlayConfig) rejected(ctx context.Context, t project.Target, program string, known []string) []lint.Finding {
	cmd := exec.CommandContext(ctx, program, "config")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.WaitDelay = t.Dir, environmentWithout(known), &stderr, project.StopsWithin
	for _, v := range o.set {
		cmd.Env = append(cmd.Env, v.name+"="+v.value)
	}
	failure := cmd.Run()
	if failure == nil {
		return nil
	}
	var found []lint.Finding
	named := false
	for line := range strings.Lines(stderr.String()) {
		problem, own := strings.CutPrefix(strings.TrimSpace(line), t.Service.Binary()+": ")
		if !own {
			continue
		}
		named = true
		f := lint.Finding{File: o.file, Message: strings.Replace(problem, " (environment)", "", 1)}
		if name := variableProblem.FindStringSubmatch(problem); name != nil {
			at := slices.IndexFunc(o.set, func(v assignment) bool { return v.name == name[1] })
			if at < 0 {
				continue // this overlay does not set it
			}
			f.Line = o.set[at].line
		}
		found = append(found, f)
	}
	if !named {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		found = append(found, lint.Finding{File: o.file, Message: "the service rejects the environment variables of this overlay: " + cmp.Or(lines[0], failure.Error())})
	}
	return found
}

func environmentWithout(names []string) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}

// checkOverlays finds environment variables of overlays that the service does not read or whose
// values it rejects.
func checkOverlays(ctx context.Context, t project.Target, known []string) ([]lint.Finding, error) {
	all, err := overlayConfigs(t.Dir)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	var found []lint.Finding
	for _, o := range all {
		found = append(found, o.unknown(known)...)
	}
	err = project.WithProgram(ctx, t.Dir, t.Service.Binary(), func(program string) {
		for _, o := range all {
			found = append(found, o.rejected(ctx, t, program, known)...)
		}
	})
	return found, err
}
