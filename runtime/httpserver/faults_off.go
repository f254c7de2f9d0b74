//go:build !scaffold_faults

package httpserver

import "net/http"

// withFaults does nothing: only builds with the tag scaffold_faults, which `scaffold verify`
// makes, inject faults.
func withFaults(next http.Handler) http.Handler { return next }

// FaultsCompiledIn reports whether fault injection is compiled in.
const FaultsCompiledIn = false
