// Package mutation holds the proof to account: it breaks a generated service in
// more than a hundred ways, in rules, boards, runbooks, routes and code, and wants
// every one of them to be caught. A proof that cannot fail is no proof.
//
// It holds tests only. They take minutes and run by `make mutants`.
package mutation
