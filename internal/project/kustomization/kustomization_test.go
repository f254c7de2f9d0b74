package kustomization_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/project/kustomization"
)

const overlay = `namespace: orders-prod
resources: [../../../base]
replicas:
  - {name: orders, count: 4}
patches:
  - target: {kind: HorizontalPodAutoscaler}
    patch: |-
      # more of them
      - op: replace
        path: /spec/minReplicas
        value: 12
      - op: test
        path: /spec/x
        value: 1
      - {op: remove, path: /spec/behavior}
  - path: stop.yaml
  - target: {kind: Service}
    patch: '[{op: add, path: /metadata/annotations, value: {a/b: c}}]'
`

const stop = `kind: Deployment
metadata: {name: orders}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 20
      containers:
        - name: orders
          lifecycle: {preStop: {sleep: {seconds: 3}}}
---
kind: ServiceMonitor
spec: {endpoints: [{interval: 1m}]}
`

func files(texts ...string) fstest.MapFS {
	all := fstest.MapFS{}
	for i := 0; i < len(texts); i += 2 {
		all[texts[i]] = &fstest.MapFile{Data: []byte(texts[i+1])}
	}
	return all
}

func TestChangesHavePositions(t *testing.T) {
	t.Parallel()
	got, err := kustomization.Changes(files(kustomization.FileName, overlay, "stop.yaml", stop))
	if err != nil {
		t.Fatal(err)
	}
	const pod = "/spec/template/spec"
	want := []kustomization.Change{
		{Pointer: "/namespace", Value: "orders-prod", File: "kustomization.yaml", Line: 1, Column: 12},
		{Kind: "Deployment", Pointer: "/replicas/orders", Value: "4", File: "kustomization.yaml", Line: 4, Column: 27},
		{Kind: "HorizontalPodAutoscaler", Pointer: "/spec/minReplicas", Value: "12", File: "kustomization.yaml", Line: 11, Column: 16},
		{Kind: "HorizontalPodAutoscaler", Pointer: "/spec/behavior", File: "kustomization.yaml", Line: 15, Column: 28},
		{Kind: "Deployment", Pointer: "/kind", Value: "Deployment", File: "stop.yaml", Line: 1, Column: 7},
		{Kind: "Deployment", Pointer: "/metadata/name", Value: "orders", File: "stop.yaml", Line: 2, Column: 18},
		{Kind: "Deployment", Pointer: pod + "/terminationGracePeriodSeconds", Value: "20", File: "stop.yaml", Line: 6, Column: 38},
		{Kind: "Deployment", Pointer: pod + "/containers/0/name", Value: "orders", File: "stop.yaml", Line: 8, Column: 17},
		{Kind: "Deployment", Pointer: pod + "/containers/0/lifecycle/preStop/sleep/seconds", Value: "3", File: "stop.yaml", Line: 9, Column: 50},
		{Kind: "ServiceMonitor", Pointer: "/kind", Value: "ServiceMonitor", File: "stop.yaml", Line: 11, Column: 7},
		{Kind: "ServiceMonitor", Pointer: "/spec/endpoints/0/interval", Value: "1m", File: "stop.yaml", Line: 12, Column: 31},
		{Kind: "Service", Pointer: "/metadata/annotations/a~1b", Value: "c", File: "kustomization.yaml", Line: 18, Column: 66},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChangesReportsInvalidFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"missing kustomization.yaml": {files(), "kustomization.yaml does not exist"},
		"invalid YAML":               {files(kustomization.FileName, "resources: [b"), "kustomization.yaml: yaml: line 1"},
		"no kustomization":           {files(kustomization.FileName, "secret: [b"), "kustomization.yaml: not a kustomization; write one, or remove the file"},
		"missing patch file":         {files(kustomization.FileName, "patches: [{path: gone.yaml}]"), "gone.yaml does not exist"},
		"patch outside the overlay":  {files(kustomization.FileName, "patches: [{path: ../x.yaml}]"), "../x.yaml"},
		"patch with invalid YAML":    {files(kustomization.FileName, "patches:\n  - patch: |-\n      a: [b\n"), "kustomization.yaml: a patch that begins in line 3: yaml:"},
		"missing op":                 {files(kustomization.FileName, "patches:\n  - patch: |-\n      - path: /a\n"), "line 1: an operation needs op and path"},
		"missing value":              {files(kustomization.FileName, "patches:\n  - patch: |-\n      - {op: add, path: /a}\n"), "line 1: add needs a value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := kustomization.Changes(tt.files); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestConfigMapsOfVariablesAreChanges(t *testing.T) {
	t.Parallel()
	got, err := kustomization.Changes(files(kustomization.FileName, "configMapGenerator:\n  - name: a-config\n    literals: []\n  - {name: b, envs: [x.env]}\n  - {name: c, files: [x]}\n"))
	want := []kustomization.Change{
		{Kind: "ConfigMap", Pointer: "/configMapGenerator", Value: "a-config", File: "kustomization.yaml", Line: 2, Column: 11},
		{Kind: "ConfigMap", Pointer: "/configMapGenerator", Value: "b", File: "kustomization.yaml", Line: 4, Column: 12},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestVariablesHavePositions(t *testing.T) {
	t.Parallel()
	const overlay = `configMapGenerator:
  - name: orders-config
    envs: [own.env]
    literals:
      - TRACE_RATIO=1
      - "LOG_LEVEL='debug'"
      - A=b=c "d"
      - no assignment
      - =x
  - {name: job, literals: [B=c]}
`
	got, err := kustomization.Variables(files(kustomization.FileName, overlay, "own.env", "# x=y\n\n  TZ=UTC \r\nalone\n"), "orders-config")
	want := []kustomization.Variable{
		{Name: "TZ", Value: "UTC ", File: "own.env", Line: 3, Column: 3},
		{Name: "TRACE_RATIO", Value: "1", File: "kustomization.yaml", Line: 5, Column: 9},
		{Name: "LOG_LEVEL", Value: "debug", File: "kustomization.yaml", Line: 6, Column: 9},
		{Name: "A", Value: `b=c "d"`, File: "kustomization.yaml", Line: 7, Column: 9},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestVariablesReportsInvalidFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"missing kustomization.yaml": {files(), "kustomization.yaml does not exist"},
		"missing environment file":   {files(kustomization.FileName, "configMapGenerator: [{name: a, envs: [b.env]}]"), "b.env does not exist"},
		"file outside the overlay":   {files(kustomization.FileName, "configMapGenerator: [{name: a, envs: [../b.env]}]"), "../b.env"},
		"literals are no list":       {files(kustomization.FileName, "configMapGenerator: [{name: a, literals: {b: c}}]"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := kustomization.Variables(tt.files, "a")
			if len(got) > 0 || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzVariables(f *testing.F) {
	f.Add("configMapGenerator: [{name: a, envs: [stop.yaml], literals: ['B=\"c\"', &x D=, *x]}]", "E=f")
	f.Fuzz(func(t *testing.T, overlay, own string) {
		variables, _ := kustomization.Variables(files(kustomization.FileName, overlay, "stop.yaml", own), "a")
		for _, v := range variables {
			if v.Name == "" && v.File == kustomization.FileName || v.Line < 1 || v.Column < 1 {
				t.Errorf("%+v has no position", v)
			}
		}
	})
}

func FuzzChanges(f *testing.F) {
	f.Add(overlay, stop)
	f.Add("patches: [{path: stop.yaml}]", "- {op: add, path: /a, value: [1, {b: 2}]}")
	f.Fuzz(func(t *testing.T, overlay, stop string) {
		changes, _ := kustomization.Changes(files(kustomization.FileName, overlay, "stop.yaml", stop))
		for _, c := range changes {
			if c.File == "" || c.Line < 1 {
				t.Errorf("%+v stands nowhere", c)
			}
		}
	})
}
