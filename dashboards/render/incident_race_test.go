//go:build race

package render_test

// raceDetector reports whether this is a build with the race detector, with which all recordings take minutes.
const raceDetector = true
