// Package postgres connects a service to PostgreSQL. It observes every query, and detects a lost
// database within seconds.
//
//	db, err := postgres.New(svc, cfg.Postgres, migrations.FS)
//
// [New] registers metrics, a health check, the command migrate, and hooks that open and close the
// connections. Nothing connects before the service runs. Spans come from otelpgx and have the
// statement, but never its arguments.
//
// The service becomes ready when the database has all migrations of the binary. Until then
// /readyz responds with 503 and lists the pending ones. The command migrate applies them, or the
// start with POSTGRES_MIGRATE=true. A schema newer than the binary is accepted, as after a
// rollback. The schema is not checked again after the start.
//
// While the database is unavailable, a call fails after at most the acquire timeout with an API
// error of code unavailable, or after the query timeout with context.DeadlineExceeded. The
// service stays ready and counts the failures. The pool reconnects when the database is available
// again.
package postgres
