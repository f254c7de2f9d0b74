//go:build !race

package overload

// raceEnabled says that the race detector makes everything some ten times slower.
const raceEnabled = false
