// Package endtoend holds what scaffold verify promises as a program: the whole
// check of a service with a database, and that an interrupt leaves nothing behind.
// It is a package of its own because a simulation under the race detector takes minutes
// and would find nothing.
package endtoend
