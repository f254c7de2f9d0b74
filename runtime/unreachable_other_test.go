//go:build !unix

package runtime_test

import "testing"

// unreachable is an address that refuses: Windows gives no listener a queue that
// is full.
func unreachable(*testing.T) string { return "127.0.0.1:1" }
