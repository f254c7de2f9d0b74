// Package project reads and writes a service on disk: its spec, its module, where it finds the
// runtime, the files at the root of its repository, and what its own commands print.
package project
