package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
)

type sdkEvent = sdktrace.Event

func TestOperation(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SELECT 1":        "SELECT",
		" \n\tselect*":    "SELECT",
		"select(1)":       "SELECT",
		"SELECT;":         "SELECT",
		"with x as (...)": "WITH",
		"-- name: GetOrder :one\nUPDATE orders SET": "UPDATE",
		"/* hint */ -- more\nDELETE FROM":           "DELETE",
		"begin isolation level serializable":        "BEGIN",
		"":                                          semconv.MethodOther,
		"/* open":                                   semconv.MethodOther,
		"-- only":                                   semconv.MethodOther,
		"SELECTED":                                  semconv.MethodOther,
		"hunter2":                                   semconv.MethodOther,
	} {
		if got := operation(sql); got != want {
			t.Errorf("%q gave %s, want %s", sql, got, want)
		}
	}
}

// FuzzOperation checks that the label is on the closed list for any statement: a word is on the
// list exactly if it is its own operation.
func FuzzOperation(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "--", "/*/", "/* */x", "İnsert", "\x00select"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		got := operation(sql)
		if len(got) > len("SAVEPOINT") || got != semconv.MethodOther && operation(got) != got {
			t.Errorf("%q gave %q", sql, got)
		}
	})
}

func TestErrorType(t *testing.T) {
	t.Parallel()
	state := func(code string) error { return &pgconn.PgError{Code: code} }
	for want, errs := range map[string][]error{
		"":                  {nil, pgx.ErrNoRows},
		"constraint":        {state("23505")},
		"serialization":     {state("40001"), state("40P01")},
		"statement":         {state("42601")},
		"operator":          {state("57P01")},
		"canceled":          {context.Canceled},
		"timeout":           {context.DeadlineExceeded},
		"connection":        {state("08006"), io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: net.ErrClosed}, &pgconn.ConnectError{}, pgconn.ErrConnClosed},
		semconv.MethodOther: {state("XX000"), state("odd"), errors.New("encode argument 1")},
	} {
		for _, err := range errs {
			if got := errorType(err); got != want {
				t.Errorf("%v gave %q, want %q", err, got, want)
			}
		}
	}
}

// The pool hands out a connection until it notices that the server closed it. The client can retry.
func TestClosedConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	db := open(t, Config{URL: database(t)})
	conn, err := db.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if err := conn.Conn().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), "SELECT 1")
	if got := apierror.From(db.explain(t.Context(), err)); got.Code != apierror.CodeUnavailable {
		t.Errorf("%v gave %v, want unavailable", err, got)
	}
}

// Text that the database cannot store is a client error; otherwise clients could spend the error
// budget.
func TestTextThatCannotBeStoredIsAClientError(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	g.exec(t, "CREATE TABLE words (word text, document jsonb)")
	for name, run := range map[string]func() error{
		"a NUL": func() error {
			_, err := g.Exec(t.Context(), "INSERT INTO words (word) VALUES ($1)", "a\x00b")
			return err
		},
		"invalid UTF-8": func() error {
			return g.QueryRow(t.Context(), "SELECT word FROM words WHERE word = $1", "\xff").Scan(new(string))
		},
		"a NUL in JSON": func() error {
			_, err := g.Exec(t.Context(), "INSERT INTO words (document) VALUES ($1)", `"\u0000"`)
			return err
		},
		"in a transaction": func() error {
			return g.InTx(t.Context(), pgx.TxOptions{}, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), "INSERT INTO words (word) VALUES ($1)", "a\x00b")
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := apierror.From(run()); got.Code != apierror.CodeInvalid {
				t.Errorf("got %v, want invalid", got)
			}
		})
	}
}
