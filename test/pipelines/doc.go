// Package pipelines holds the tests that give what scaffold generates for
// pipelines to those who read it: actionlint, GitLab's schema and a runner of
// its jobs, Groovy, shellcheck, Renovate, Backstage. It runs ./ci as a whole on a
// cluster that is played. No other module should have to download all that.
package pipelines
