// Package kubernetes holds the tests of what Kubernetes is told by generated
// services.
//
// `make kubernetes` judges the objects without a cluster: strict types, the
// schemas of custom resources, the arithmetic between objects, kube-score.
// `make kubernetes-apiserver` gives them to a real API server and lets the real
// controllers roll them out; package apiserver does it and writes docs/kubernetes.md.
package kubernetes
