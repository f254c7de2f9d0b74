package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/test/kubernetes/generated"
	"github.com/observability-first/scaffold/test/kubernetes/manifests"
)

// checkMutants puts each fault into an object of a service that has one of its
// kind, and wants it to be noticed.
func checkMutants(t *testing.T, types *manifests.Types, services []generated.Service) {
	t.Helper()
	for _, m := range manifests.Mutants() {
		t.Run(m.Kind+" with "+m.Fault, func(t *testing.T) {
			t.Parallel()
			said := strings.Join(judged(t, types, services, m), "\n")
			if !strings.Contains(said, m.Noticed) {
				t.Errorf("said\n%s\nwithout %q", said, m.Noticed)
			}
		})
	}
}

func judged(t *testing.T, types *manifests.Types, services []generated.Service, m manifests.Mutant) []string {
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
			said := types.Check(t.Context(), []byte(text(t, objects[i])))
			set, err := manifests.NewSet(objects)
			if err != nil {
				return append(said, err.Error())
			}
			return append(said, set.Judge(s.Spec)...)
		}
	}
	t.Fatalf("no service has a %s", m.Kind)
	return nil
}
