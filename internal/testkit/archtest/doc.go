// Package archtest holds the architecture as tests: who may import whom, how
// large a function may grow, and which words only one package may write.
//
// A budget changes with an ADR that says why, not with the change that breaks it.
package archtest
