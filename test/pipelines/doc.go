// Package pipelines tests generated pipelines and files with the tools that read them:
// actionlint, gitlab-ci-local with GitLab's schema, Groovy, shellcheck, Renovate and
// Backstage. It also runs ./ci on a fake cluster. It is a separate module so that no
// other module downloads these tools.
package pipelines
