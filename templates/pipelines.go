package templates

import (
	"net/url"
	"path"
	"strings"

	"github.com/observability-first/scaffold/templates/spec"
)

// stage is a stage of ./ci.
type stage struct{ Name, Help string }

// Stages returns the stages of ./ci, in the order of the pipelines.
func (v view) Stages() []stage {
	stages := []stage{
		{"check", "check generated files, rules and dashboards"},
		{"lint", "run the linters"},
		{"test", "run every test, with the race detector"},
		{"verify", "run the service and check its dashboards, alerts and links"},
		{"image", "build the image; PUSH=1 IMAGE=registry/name pushes it"},
		{"sbom", "list what is in the image, with licenses"},
	}
	if v.DeploysToKubernetes() {
		stages = append(stages,
			stage{"deploy", "ENVIRONMENT: roll out, analyze, and roll back unless the analysis passes"},
			stage{"rollback", "ENVIRONMENT [REVISION]: return to the previous version"},
		)
	}
	return stages
}

// DeploysToKubernetes reports whether ./ci can roll out.
func (v view) DeploysToKubernetes() bool { return v.Deploy.RunsOn(spec.PlatformKubernetes) }

// Below returns a path of the service, relative to the root of the repository.
func (v view) Below(name string) string { return path.Join(v.Deploy.Directory, name) }

// OfModule returns the path of a file of the module, relative to the root of the repository.
func (v view) OfModule(name string) string {
	return path.Join(strings.TrimSuffix(v.Deploy.Directory, v.ModuleDirectory), name) // removes nothing if the service is a module
}

// CI returns the command for ./ci at the root of the repository. The script changes to its own
// directory.
func (v view) CI() string { return "./" + v.Below("ci") }

// AllStages returns the stages that any service of a repository can have.
func (v view) AllStages() []string { return AllStages() }

// AllStages returns the stages of pipelines, in their order. GitLab files that are included
// together must have the same list: the last one counts for all.
func AllStages() []string {
	return []string{"check", "lint", "test", "verify", "image", "sbom", "deploy", "rollback"}
}

// Job returns the name of a job, with the service as prefix if the repository has several.
func (v view) Job(name string) string {
	if v.Deploy.Directory == "" {
		return name
	}
	return v.Name + ":" + name
}

// GitLabEnvironment returns the name of a GitLab environment. It contains the service, since a
// newer deployment to an environment cancels older ones.
func (v view) GitLabEnvironment(name string) string {
	if v.Deploy.Directory == "" {
		return name
	}
	return v.Name + "/" + name
}

// WorkflowPath returns the path of the GitHub workflow, relative to the root of the repository.
func (v view) WorkflowPath() string { return workflowPath(v) }

// Environments returns the environments that a version can be rolled out to.
func (view) Environments() []string { return spec.Environments() }

// LastEnvironment is the environment that is deployed last. Its overlay has the rules and
// dashboards.
func (v view) LastEnvironment() string {
	all := v.Environments()
	return all[len(all)-1]
}

// CommandImport is the import path of the command that generated the service.
func (v view) CommandImport() string { return path.Dir(v.RuntimeImport) + "/cmd/scaffold" }

// CommandModule is the module of the command.
func (v view) CommandModule() string { return path.Dir(v.RuntimeImport) }

// ImageRegistry is the registry host in the spec; empty if each pipeline system uses its own.
func (v view) ImageRegistry() string {
	host, _, found := strings.Cut(v.Deploy.Image, "/")
	if !found || !strings.ContainsAny(host, ".:") {
		return ""
	}
	return host
}

// catalogLink is a link in catalog-info.yaml.
type catalogLink struct{ Title, URL string }

// CatalogLinks returns the links in the spec.
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

// GitHubSlug returns owner/name of the repository if it is on GitHub.
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
