//go:build !unix

package runtime_test

import "testing"

// unreachable returns an address that rejects connections: on Windows, a listener's queue cannot
// be filled.
func unreachable(*testing.T) string { return "127.0.0.1:1" }
