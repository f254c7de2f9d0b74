// Package cluster runs a Kubernetes that has no machines: etcd, kube-apiserver
// and kube-controller-manager as programs on loopback, and a fake kubelet
// that sets the status of pods as the test wants.
//
// What the API server refuses, defaults and warns of is therefore the real
// thing, and so is what the controllers do. What a container would do is not:
// no image is pulled and no process started.
//
// [Build] compiles the programs from the Go proxy and keeps them below the
// user's cache directory, [New] starts them for a test.
package cluster
