// Package image holds the image, the bill of materials and the Cloud Run manifest
// of a service to those who read them: BuildKit's parser and linter, a registry,
// the Linux kernel, CycloneDX's schema, and a process that is started as Cloud Run
// starts one.
//
// It is a module of its own, since BuildKit brings more modules than everything
// else here together.
package image
