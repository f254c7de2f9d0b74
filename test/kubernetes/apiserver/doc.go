// Package apiserver applies generated manifests to a real API server with real
// controllers, and writes the results to docs/kubernetes.md. `make
// kubernetes-apiserver` runs it.
package apiserver
