//go:build !scaffold_faults

package httpserver

import "net/http"

// withFaults does nothing in a program that anybody may reach. Only a build with
// the tag scaffold_faults, which `scaffold verify` makes for itself, can be told
// by its callers to fail.
func withFaults(next http.Handler) http.Handler { return next }

// FaultsCompiledIn says whether callers can make the server fail on purpose.
const FaultsCompiledIn = false
