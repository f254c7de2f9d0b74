package templates

import (
	"net/url"
	"path"
	"strings"

	"github.com/observability-first/scaffold/templates/spec"
)

// stage is one of ./ci.
type stage struct{ Name, Help string }

// Stages are those of ./ci, in the order in which pipelines run them.
func (v view) Stages() []stage {
	stages := []stage{
		{"check", "check generated files, rules and dashboards"},
		{"lint", "run the linters"},
		{"test", "run every test, with the race detector"},
		{"verify", "run the service and check its dashboards, alerts and links"},
		{"image", "build the image; PUSH=1 IMAGE=registry/name pushes it"},
		{"sbom", "list what is in the image, with licences"},
	}
	if v.DeploysToKubernetes() {
		stages = append(stages,
			stage{"deploy", "ENVIRONMENT: roll out, analyze, and roll back unless the analysis passes"},
			stage{"rollback", "ENVIRONMENT [REVISION]: return to the previous version"},
		)
	}
	return stages
}

// DeploysToKubernetes says whether ./ci can roll out.
func (v view) DeploysToKubernetes() bool { return v.Deploy.RunsOn(spec.PlatformKubernetes) }

// Below is the path, which is one in the service, from the root of the repository.
func (v view) Below(name string) string { return path.Join(v.Deploy.Directory, name) }

// OfModule is a file of the module, from the root of the repository.
func (v view) OfModule(name string) string {
	return path.Join(strings.TrimSuffix(v.Deploy.Directory, v.ModuleDirectory), name) // cuts nothing where it is one of its own
}

// CI is how ./ci is called from the root of the repository. It works in its own
// directory, wherever it is called from.
func (v view) CI() string { return "./" + v.Below("ci") }

// AllStages are those that any service of a repository can have.
func (v view) AllStages() []string { return AllStages() }

// AllStages are those of pipelines, in their order. Files of GitLab that are
// included together have to name the same: the last list counts for all.
func AllStages() []string {
	return []string{"check", "lint", "test", "verify", "image", "sbom", "deploy", "rollback"}
}

// Job is the name of a job: in a repository with others the service comes first.
func (v view) Job(name string) string {
	if v.Deploy.Directory == "" {
		return name
	}
	return v.Name + ":" + name
}

// GitLabEnvironment is the name that GitLab has for one: newer deployments to an
// environment put off older ones, so that services share none.
func (v view) GitLabEnvironment(name string) string {
	if v.Deploy.Directory == "" {
		return name
	}
	return v.Name + "/" + name
}

// WorkflowPath is where GitHub finds the pipeline, from the root of the repository.
func (v view) WorkflowPath() string { return workflowPath(v) }

// Environments are those that a version can be rolled out to.
func (view) Environments() []string { return spec.Environments() }

// CommandImport is the import path of the command that generated the service.
func (v view) CommandImport() string { return path.Dir(v.RuntimeImport) + "/cmd/scaffold" }

// CommandModule is the module of the command.
func (v view) CommandModule() string { return path.Dir(v.RuntimeImport) }

// ImageRegistry is the host that images are sent to, as the spec names it; empty
// where each system knows a registry of its own.
func (v view) ImageRegistry() string {
	host, _, found := strings.Cut(v.Deploy.Image, "/")
	if !found || !strings.ContainsAny(host, ".:") {
		return ""
	}
	return host
}

// catalogLink is one of a catalog.
type catalogLink struct{ Title, URL string }

// CatalogLinks are the addresses that the spec names.
func (v view) CatalogLinks() []catalogLink {
	var links []catalogLink
	for _, l := range []catalogLink{
		{"Source", v.Links.Repository}, {"Grafana", v.Links.Grafana}, {"Runbooks", v.Links.Runbooks}, {"Alerts", v.Links.Alertmanager},
	} {
		if l.URL != "" {
			links = append(links, l)
		}
	}
	return links
}

// GitHubSlug is owner/name of the repository where GitHub has it.
func (v view) GitHubSlug() string {
	u, err := url.Parse(v.Links.Repository)
	if err != nil || u.Host != "github.com" {
		return ""
	}
	parts := strings.Split(strings.Trim(strings.TrimSuffix(u.Path, ".git"), "/"), "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[0] + "/" + parts[1]
}
