// Package proof gives what is generated to a real API server and real
// controllers, and writes what came of it to docs/proof.md. `make
// proof-kubernetes` runs it.
package proof
