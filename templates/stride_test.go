//go:build !race

package templates_test

// nameStride is every how many names are tried as a resource.
const nameStride = 1
