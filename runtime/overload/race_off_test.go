//go:build !race

package overload

// raceEnabled reports whether the race detector is on, which makes everything about ten times
// slower.
const raceEnabled = false
