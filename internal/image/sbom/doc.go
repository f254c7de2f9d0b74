// Package sbom writes a CycloneDX document of a Go binary from its build information, with the
// licenses of its vendored modules.
//
// Documents are reproducible: they have no time, no serial number and no paths of the machine.
package sbom
