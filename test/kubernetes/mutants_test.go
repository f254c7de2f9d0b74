package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/test/kubernetes/generated"
	"github.com/observability-first/scaffold/test/kubernetes/manifests"
)

// checkMutants breaks an object in each way, and requires that the checks find it.
func checkMutants(t *testing.T, types *manifests.Types, services []generated.Service) {
	t.Helper()
	for _, m := range manifests.Mutants() {
		t.Run(m.Kind+" with "+m.Fault, func(t *testing.T) {
			t.Parallel()
			problems := strings.Join(mutantProblems(t, types, services, m), "\n")
			if !strings.Contains(problems, m.Noticed) {
				t.Errorf("problems:\n%s\nwant %q", problems, m.Noticed)
			}
		})
	}
}

// mutantProblems breaks the first object of the kind and returns the problems
// of its service.
func mutantProblems(t *testing.T, types *manifests.Types, services []generated.Service, m manifests.Mutant) []string {
	t.Helper()
	for _, s := range services {
		objects := build(t, filepath.Join(s.Dir, "deploy", "base"))
		if m.Kind == "PrometheusRule" || m.Kind == "AlertmanagerConfig" {
			objects = build(t, filepath.Join(s.Dir, "observability"))
		}
		for i, o := range objects {
			if o.GetKind() != m.Kind {
				continue
			}
			objects[i] = m.Apply(o)
			problems := types.Check(t.Context(), []byte(text(t, objects[i])))
			set, err := manifests.NewSet(objects)
			if err != nil {
				return append(problems, err.Error())
			}
			return append(problems, set.Check(s.Spec)...)
		}
	}
	t.Fatalf("no service has a %s", m.Kind)
	return nil
}
