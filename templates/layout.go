package templates

import (
	"io/fs"
	"slices"

	"github.com/observability-first/scaffold/templates/spec"
)

// entry is a file of a service that is rendered from a template.
type entry struct {
	path     string // relative to the service
	template string // relative to files/service
	owner    Owner
	when     func(view) bool // nil: always
	// environment is set for files of an overlay.
	environment string
	mode        fs.FileMode // 0: not executable
	was         string      // path in older versions of scaffold, if it had another
}

// entries are the files of services of any pattern. Patterns and components add their own. The
// design document and the README of a service explain the owners.
func entries(v view) []entry {
	module := func(v view) bool { return v.ModuleDirectory == "" }
	files := []entry{
		{path: "cmd/" + v.Binary() + "/defaults.gen.go", template: "cmd/defaults.gen.go.tmpl", owner: Generated},
		{path: "README.md", template: "README.md.tmpl", owner: Merged},
		{path: "Makefile", template: "Makefile.tmpl", owner: Merged},
		{path: "Dockerfile", template: "Dockerfile.tmpl", owner: Merged},
		{path: "go.mod", template: "gomod.tmpl", owner: Merged, when: module},
		{path: "go.sum", template: "gosum.tmpl", owner: Merged, when: module},
		{path: ".gitignore", template: "gitignore.tmpl", owner: Merged},
		{path: ".gitattributes", template: "gitattributes.tmpl", owner: Merged},
		{path: ".dockerignore", template: "dockerignore.tmpl", owner: Merged},
		{path: ".editorconfig", template: "editorconfig.tmpl", owner: Merged, when: wants(spec.FileEditorConfig)},
		{path: ".golangci.yml", template: "golangci.yml.tmpl", owner: Merged},
	}
	cloudRun := func(v view) bool { return v.Deploy.RunsOn(spec.PlatformCloudRun) }
	files = append(files, entry{path: "deploy/cloud-run/service.yaml", template: "deploy/cloud-run/service.yaml.tmpl", owner: Generated, when: cloudRun})
	files = append(files, entry{path: "deploy/collector.yaml", template: "deploy/collector.yaml.tmpl", owner: Generated, when: wants(spec.FileCollector)})
	return slices.Concat(files, manifests(), terraform(), pipelines(v))
}

// pipelines are ./ci and the pipeline files that call it. The script is generated, since fixes
// for roll out and rollback must reach all services; teams customize the Makefile and the
// overlays. The pipeline files are merged: runners, credentials and more jobs differ by team.
func pipelines(v view) []entry {
	alone := func(v view) bool { return v.Deploy.Directory == "" }
	renovate := func(v view) bool { return alone(v) && wants(spec.FileRenovate)(v) }
	return []entry{
		{path: "ci", template: "ci.tmpl", owner: Generated, mode: 0o755},
		{path: workflowPath(v), template: "pipelines/github.yml.tmpl", owner: Merged, when: func(v view) bool { return alone(v) && on(spec.PipelineGitHub)(v) }},
		{path: ".gitlab-ci.yml", template: "pipelines/gitlab.yml.tmpl", owner: Merged, when: on(spec.PipelineGitLab)},
		{path: "Jenkinsfile", template: "pipelines/Jenkinsfile.tmpl", owner: Merged, when: on(spec.PipelineJenkins)},
		{path: "renovate.json", template: "renovate.json.tmpl", owner: UserOwned, when: renovate},
		{path: "catalog-info.yaml", template: "catalog-info.yaml.tmpl", owner: Merged, when: wants(spec.FileBackstage)},
	}
}

// atRoot are the files of a service in a directory that tools only find at the root of the
// repository. The workflow is generated; teams add jobs in their own workflows.
func atRoot(v view) []entry {
	return []entry{
		{path: workflowPath(v), template: "pipelines/github.yml.tmpl", owner: Generated, when: on(spec.PipelineGitHub)},
		{path: "renovate.json", template: "renovate.json.tmpl", owner: UserOwned, when: wants(spec.FileRenovate)},
	}
}

func workflowPath(v view) string { return ".github/workflows/" + v.Name + ".yml" }

// wants returns the condition of an optional file.
func wants(file string) func(view) bool {
	return func(v view) bool { return v.WantsFile(file) }
}

func on(system string) func(view) bool {
	return func(v view) bool { return slices.Contains(v.Deploy.Pipelines, system) }
}

// terraform is a module for the service, and one for each cloud.
func terraform() []entry {
	var files []entry
	add := func(module string, when func(view) bool, names ...string) {
		for _, name := range names {
			path := "deploy/terraform/" + module + "/" + name
			files = append(files, entry{path: path, template: path + ".tmpl", owner: Generated, when: when})
		}
	}
	add("core", func(v view) bool { return len(v.Deploy.Terraform) > 0 }, "main.tf", "variables.tf", "outputs.tf", "core.tftest.hcl")
	for _, cloud := range spec.Clouds() {
		chosen := func(v view) bool { return slices.Contains(v.Deploy.Terraform, cloud) }
		add(cloud, chosen, "main.tf", "variables.tf", "outputs.tf")
	}
	return files
}

// manifests are the Kubernetes manifests: a base that follows the spec, and overlays for the
// differences between environments.
func manifests() []entry {
	kubernetes := func(v view) bool { return v.Deploy.RunsOn(spec.PlatformKubernetes) }
	routed := func(v view) bool { return kubernetes(v) && v.Deploy.Gateway.Host != "" }
	scraped := func(v view) bool { return kubernetes(v) && !v.PushesMetrics() }
	ownRules := func(v view) bool { return kubernetes(v) && len(v.Own.Groups) > 0 }
	var files []entry
	for _, f := range []struct {
		name string
		when func(view) bool
	}{
		{"kustomization", kubernetes}, {"serviceaccount", kubernetes}, {"deployment", kubernetes}, {"pdb", kubernetes},
		{"service", kubernetes}, {"networkpolicy", kubernetes}, {"httproute", routed}, {"servicemonitor", scraped},
	} {
		path := "deploy/base/" + f.name + ".yaml"
		files = append(files, entry{path: path, template: path + ".tmpl", owner: Generated, when: f.when})
	}
	const autoscaler = "deploy/base/autoscaler.yaml.tmpl"
	files = append(files, entry{
		path: "deploy/base/hpa.yaml", template: autoscaler, owner: Generated,
		when: func(v view) bool { return kubernetes(v) && !v.ScalesByKEDA() },
	}, entry{
		path: "deploy/base/scaledobject.yaml", template: autoscaler, owner: Generated,
		when: func(v view) bool { return kubernetes(v) && v.ScalesByKEDA() },
	}, entry{
		path: "observability/kustomization.yaml", template: "observability/kustomization.yaml.tmpl", owner: Generated, when: kubernetes,
	}, entry{
		path: "observability/kubernetes/ownrules.yaml", template: "observability/ownrules.yaml.tmpl", owner: Generated, when: ownRules,
	})
	for _, environment := range spec.Environments() {
		files = append(files, entry{
			path: "deploy/overlays/" + environment + "/kustomization.yaml", template: "deploy/overlay/kustomization.yaml.tmpl",
			owner: UserOwned, when: kubernetes, environment: environment,
		})
	}
	return files
}
