//go:build race

package templates_test

// nameStride is every how many names are tried as a resource. Nothing runs
// concurrently here, and the race detector takes five times as long.
const nameStride = 7
