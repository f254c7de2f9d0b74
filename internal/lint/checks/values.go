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
	"github.com/observability-first/scaffold/internal/project/kustomization"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// variableProblem matches an error of the service about an environment variable.
var variableProblem = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)[=:\[ ]`)

// overlayVariables are the environment variables of one overlay.
type overlayVariables struct {
	dir string // relative to the service
	set []kustomization.Variable
}

// variablesOf returns the overlays of a service that set environment variables. It skips those
// that cannot be read, which the check of overlays reports.
func variablesOf(t project.Target) ([]overlayVariables, error) {
	files, err := filepath.Glob(filepath.Join(t.Dir, overlaysDir, "*", kustomization.FileName))
	var out []overlayVariables
	for _, file := range files {
		dir := filepath.Dir(file)
		set, err := kustomization.Variables(os.DirFS(dir), configMapOf(t.Service))
		if err == nil && len(set) > 0 {
			out = append(out, overlayVariables{path.Join(overlaysDir, filepath.Base(dir)), set})
		}
	}
	return out, err
}

// at returns a finding at a variable.
func (o overlayVariables) at(v kustomization.Variable, message string) lint.Finding {
	return lint.Finding{File: path.Join(o.dir, v.File), Line: v.Line, Column: v.Column, Message: message}
}

// unknown finds environment variables that the service does not read.
func (o overlayVariables) unknown(known []string) []lint.Finding {
	var found []lint.Finding
	for _, v := range o.set {
		if !slices.Contains(known, v.Name) && !isLibraryVariable(v.Name) {
			found = append(found, o.at(v, unknownVariable(v.Name, known)))
		}
	}
	return found
}

func unknownVariable(name string, known []string) string {
	return fmt.Sprintf("unknown environment variable %s%s", name, diagnostic.DidYouMean(name, known))
}

// rejected finds values that the service rejects. It runs the service's config command with the
// variables of the overlay, and removes those in known from the environment.
func (o overlayVariables) rejected(ctx context.Context, t project.Target, program string, known []string) []lint.Finding {
	cmd := exec.CommandContext(ctx, program, "config")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.WaitDelay = t.Dir, environmentWithout(known), &stderr, project.StopsWithin
	for _, v := range o.set {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
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
		f := lint.Finding{File: o.dir, Message: strings.Replace(problem, " (environment)", "", 1)}
		if name := variableProblem.FindStringSubmatch(problem); name != nil {
			i := slices.IndexFunc(o.set, func(v kustomization.Variable) bool { return v.Name == name[1] })
			if i < 0 {
				continue // this overlay does not set it
			}
			f = o.at(o.set[i], f.Message)
		}
		found = append(found, f)
	}
	if !named {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		found = append(found, lint.Finding{File: o.dir, Message: "the service rejects the environment variables of this overlay: " + cmp.Or(lines[0], failure.Error())})
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
	all, err := variablesOf(t)
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
