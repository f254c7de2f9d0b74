// Package postgrestest runs a throw-away PostgreSQL server for tests and for a
// developer's first run, from the binaries that are on the machine, without
// containers and without the network.
//
// The server listens on a Unix socket in a directory of its own, runs as an
// unprivileged user when the caller is root, writes without waiting for the
// disk, and goes away with the process that started it, however that ends.
//
//	func TestStore(t *testing.T) {
//		server := postgrestest.Start(t)
//		store := store.New(connect(server.URL))
//		...
//	}
//
// A package with many tests starts one server in TestMain with [New] and gives
// each test a database of its own with [Server.Database].
package postgrestest
