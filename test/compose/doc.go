// Package compose holds the test that brings the generated observability stack
// up with the command of the README, by the real Docker Compose.
//
// No container runs: what answers Compose is an engine of the test's own, which
// pulls nothing and notes which containers it is asked to start. So this proves
// that Compose takes the file, that the parts start in order, that each mounted
// file exists and that nothing but this machine can reach a port. It does not
// check that the images exist or accept their configuration.
// `make compose` runs it.
package compose
