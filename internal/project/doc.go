// Package project reads and writes a service on disk: its spec, its module, the location of the
// runtime, the files at the root of its repository, and the output of its commands.
package project
