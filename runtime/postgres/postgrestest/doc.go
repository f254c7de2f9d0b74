// Package postgrestest runs a throw-away PostgreSQL server for tests and for a
// developer's first run, from the binaries that are on the machine, without
// containers and without the network.
//
// The server listens on a Unix socket in a directory of its own, runs as an
// unprivileged user when the caller is root, writes without waiting for the
// disk, and goes away with the process that started it, however that ends.
//
//	func TestStore(t *testing.T) {
//		store := store.New(connect(postgrestest.Database(t)))
//		...
//	}
//
// [Database] gives each test a database of its own on one server for all tests of the
// binary. [Start] gives a test a server of its own, which it can stop and pause.
package postgrestest
