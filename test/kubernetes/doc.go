// Package kubernetes tests the Kubernetes manifests of generated services.
//
// `make kubernetes` checks them without a cluster: strict types, schemas of
// custom resources, consistency between objects, kube-score.
// `make kubernetes-apiserver` runs package apiserver, which rolls them out on a
// real API server with real controllers, and writes docs/kubernetes.md.
package kubernetes
