package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// operationBatch and operationCopy are the operations that are not one statement.
const (
	operationBatch = "BATCH"
	operationCopy  = "COPY"
)

// operation returns the verb of a statement after comments, or _OTHER. The list is closed, so
// that a statement built from input cannot create series.
func operation(sql string) string {
	verb := otelpgx.SQLOperationName(context.Background(), sql)
	if end := strings.IndexFunc(verb, func(r rune) bool { return r < 'A' || r > 'Z' }); end >= 0 {
		verb = verb[:end]
	}
	switch verb {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "CALL", operationCopy,
		"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "LOCK", "SET", "SHOW", "RESET", "EXPLAIN",
		"LISTEN", "UNLISTEN", "NOTIFY", "CREATE", "ALTER", "DROP", "TRUNCATE", "REFRESH",
		"DECLARE", "FETCH", "CLOSE", "ANALYZE", "VACUUM", "DO":
		return verb
	}
	return semconv.MethodOther
}

// errorType classifies an error by the class of its SQLSTATE (PostgreSQL manual, appendix A). It
// is "" for no error; a query without rows is no error.
func errorType(err error) string {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return ""
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && len(pg.Code) == 5 {
		classes := map[string]string{
			"08": "connection", "22": "data", "23": "constraint", "28": "authorization", "40": "serialization",
			"42": "statement", "53": "resources", "55": "lock", "57": "operator", "58": "system",
		}
		if word, known := classes[pg.Code[:2]]; known {
			return word
		}
		return semconv.MethodOther
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case broken(err):
		return "connection"
	}
	return semconv.MethodOther
}

// broken reports a connection that failed or was closed.
func broken(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	// pgx returns ErrConnClosed if it noticed before it sent the statement.
	return errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// lost reports a connection that failed, or that the server closed during its shutdown (class 57
// of SQLSTATE: operator intervention).
func lost(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if ok {
		return strings.HasPrefix(pg.Code, "57P")
	}
	return broken(err) && !pgconn.Timeout(err) && !errors.Is(err, context.DeadlineExceeded)
}

// repeatable reports whether the transaction can be retried: serialization_failure or
// deadlock_detected.
func repeatable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}

// unstorable reports text with a character that the encoding of the database lacks:
// character_not_in_repertoire or untranslatable_character.
func unstorable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "22021" || pg.Code == "22P05")
}
