// Package endtoend tests scaffold verify as a program: all checks of a service with a database, and that an
// interrupt leaves nothing behind. It is a separate package because an alert simulation under the race
// detector takes minutes and would find nothing.
package endtoend
