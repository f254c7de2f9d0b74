// Package sbom writes down what a Go binary is made of: a CycloneDX document
// from what the Go tool noted in the binary, with the licence of each module from
// the vendored tree that it was built from.
//
// The document follows from the binary and the tree alone: it holds no clock, no
// serial number and no path of a machine.
package sbom
