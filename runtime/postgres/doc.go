// Package postgres connects a service to PostgreSQL so that every query is seen
// and a lost database is noticed in a second instead of a minute.
//
//	db, err := postgres.New(svc, cfg.Postgres, migrations.FS)
//
// [New] declares: metrics, a health check, the command migrate, and hooks that
// connect and disconnect. Nothing connects before the service runs. Spans come
// from otelpgx and carry the statement, never its arguments.
//
// The service becomes ready when the database has every migration of the binary.
// Until then /readyz answers 503 and names those that are pending; the command
// migrate of any process applies them, or the start itself with
// POSTGRES_MIGRATE=true. A schema that is newer than the binary is no obstacle:
// a rollback meets one. After the start the schema is not checked again.
//
// When the database goes away, a call fails after at most the acquire timeout,
// with an API error of code unavailable because there is no connection, or after
// the query timeout, with context.DeadlineExceeded because there is no answer.
// Either way the service stays ready and counts the failures, and the pool mends
// itself when the database is back.
package postgres
