// Package cluster runs a Kubernetes control plane without nodes: etcd,
// kube-apiserver and kube-controller-manager on loopback, and a fake kubelet
// that sets the status of pods as the test specifies.
//
// API server and controllers are real. Containers are not: the fake kubelet
// pulls no images and starts no processes.
//
// [Build] compiles the programs from the Go module proxy into the user's cache
// directory; [New] starts them for a test.
package cluster
