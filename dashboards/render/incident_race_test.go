//go:build race

package render_test

// compared is the number of recordings that TestIncidentFixture compares. With the race detector it is those of
// the incident: all take minutes. `make simulations` compares all.
const compared = 5
