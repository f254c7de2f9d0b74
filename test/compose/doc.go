// Package compose tests that the real Docker Compose starts the generated
// observability stack with the command of the README.
//
// The engine is a fake that records the containers to start and pulls and runs
// nothing. The test therefore checks that Compose accepts the file, the start order,
// that each mounted file exists, and that ports are bound to 127.0.0.1 only. It does
// not check that the images exist or accept their configuration.
// `make compose` runs it.
package compose
