//go:build !race

package render_test

// compared is the number of recordings that TestIncidentFixture compares: all.
const compared = 21
