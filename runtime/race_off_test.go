//go:build !race

package runtime_test

// raceEnabled says that the race detector makes everything some ten times slower.
const raceEnabled = false
