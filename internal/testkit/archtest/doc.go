// Package archtest tests the architecture: imports, lengths of functions and files, and names that
// only one package may write.
//
// A budget changes with an ADR, not with the change that exceeds it.
package archtest
