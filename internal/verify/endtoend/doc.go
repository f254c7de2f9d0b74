// Package endtoend holds what scaffold verify promises as a program: the whole
// proof of a service with a database, and that an interrupt leaves nothing behind.
// It is a package of its own because a drill under the race detector takes minutes
// and would find nothing.
package endtoend
