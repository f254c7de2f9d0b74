package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// variableProblem is a line of the service about one of its variables.
var variableProblem = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)[=:\[ ]`)

// overlayValues finds values in the config.env of overlays that the service rejects. The
// service itself reads them: its config command runs with the variables of each file and
// none of those in known that the environment has.
func overlayValues(ctx context.Context, t Target, known []string) ([]lint.Finding, error) {
	files, err := filepath.Glob(filepath.Join(t.Dir, overlaysDir, "*", configFile))
	if err != nil {
		return nil, err
	}
	var found []lint.Finding
	for _, file := range files {
		src, err := userfile.Read(file, userfile.Limit)
		if err != nil {
			return nil, err
		}
		set := assignments(src)
		if len(set) == 0 {
			continue
		}
		relative := path.Join(overlaysDir, filepath.Base(filepath.Dir(file)), configFile)
		for _, problem := range rejected(ctx, t, append(environmentWithout(known), set...)) {
			f := lint.Finding{File: relative, Message: problem}
			if name := variableProblem.FindStringSubmatch(problem); name != nil {
				at := regexp.MustCompile(`(?m)^\s*` + name[1] + `=`).FindIndex(src)
				if at == nil {
					continue // of another variable, which this file does not set
				}
				f.Line = lineOf(src, at[1])
			}
			found = append(found, f)
		}
	}
	return found, nil
}

// assignments are the NAME=value lines of a file for Kustomize, which takes values as they
// stand.
func assignments(src []byte) []string {
	var set []string
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		if name, _, found := strings.Cut(line, "="); found && !strings.HasPrefix(name, "#") {
			set = append(set, line)
		}
	}
	return set
}

func environmentWithout(names []string) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}

// rejected is what the service says about that environment, a line for each problem.
func rejected(ctx context.Context, t Target, environment []string) []string {
	binary := t.Service.Binary()
	cmd := exec.CommandContext(ctx, "go", "run", "./cmd/"+binary, "config")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = t.Dir, environment, &stderr
	if cmd.Run() == nil {
		return nil
	}
	var problems []string
	for line := range strings.Lines(stderr.String()) {
		if problem, own := strings.CutPrefix(strings.TrimSpace(line), binary+": "); own {
			problems = append(problems, strings.Replace(problem, " (environment)", "", 1))
		}
	}
	return problems
}
