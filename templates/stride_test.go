//go:build !race

package templates_test

// nameStride is the step between tested names.
const nameStride = 1
