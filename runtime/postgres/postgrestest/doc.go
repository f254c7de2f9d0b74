// Package postgrestest runs temporary PostgreSQL servers for tests and local runs. It uses the
// installed server binaries, without containers and without the network.
//
// A server listens on a Unix socket in its own directory, does not wait for the disk, and stops
// when the process that started it ends, however that ends. If that process is root, the server
// runs as an unprivileged user.
//
//	func TestStore(t *testing.T) {
//		store := store.New(connect(postgrestest.Database(t)))
//		...
//	}
//
// [Database] returns a new database for a test, on a server that all tests of the binary share.
// [Start] starts a separate server for a test that stops or pauses it.
package postgrestest
