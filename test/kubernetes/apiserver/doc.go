// Package apiserver gives what is generated to a real API server and real
// controllers, and writes what came of it to docs/kubernetes.md. `make
// kubernetes-apiserver` runs it.
package apiserver
