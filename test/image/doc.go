// Package image tests Dockerfile, image, SBOM and Cloud Run manifest of a service
// with BuildKit's parser and linter, a registry, a container of the Linux kernel,
// CycloneDX's schema, and a process that is started as on Cloud Run.
//
// It is a separate module because BuildKit has more dependencies than all other
// packages together.
package image
