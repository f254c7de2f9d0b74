//go:build race

package templates_test

// nameStride is the step between tested names. Nothing runs concurrently here, and the race
// detector takes five times as long.
const nameStride = 7
