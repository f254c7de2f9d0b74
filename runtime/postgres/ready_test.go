package postgres_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/postgres"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
)

// A service with an empty database lists the pending migrations on /readyz, and is ready after
// another process has applied them.
func TestAServiceIsReadyOnceItsSchemaIs(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"POSTGRES_URL": postgrestest.Database(t), "HTTP_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "HEALTH_INTERVAL": "100ms",
	}
	wiring := func(ctx context.Context, svc *runtime.Service) error {
		cfg := postgres.Config{URL: postgres.URL(env["POSTGRES_URL"])}
		files := fstest.MapFS{"0001_orders.sql": {Data: []byte("-- +goose Up\nCREATE TABLE orders (id int);\n")}}
		if _, err := postgres.New(svc, cfg, files); err != nil {
			return err
		}
		svc.Handle(http.NotFoundHandler())
		return svc.Run(ctx)
	}
	execute := func(started func(http, admin net.Addr), signals chan os.Signal, args ...string) int {
		process := runtime.Process{
			Args: args, Stdout: io.Discard, Stderr: io.Discard, Signals: signals, Started: started,
			LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		}
		return runtime.Execute(t.Context(), process, runtime.Info{Name: "orders"}, runtime.Defaults{}, wiring)
	}

	admin, signals, status := make(chan string, 1), make(chan os.Signal, 1), make(chan int, 1)
	go func() { status <- execute(func(_, a net.Addr) { admin <- a.String() }, signals) }()
	address := <-admin
	waitFor(t, address, http.StatusServiceUnavailable, `run \"orders migrate\" or set POSTGRES_MIGRATE=true: 0001_orders.sql`)
	if status := execute(nil, nil, "migrate"); status != 0 {
		t.Fatalf("orders migrate ended with %d", status)
	}
	waitFor(t, address, http.StatusOK, `"status":"ready"`)
	signals <- syscall.SIGTERM
	if got := <-status; got != 0 {
		t.Errorf("the service ended with %d", got)
	}
}

// waitFor polls /readyz until it responds with the status and the text.
func waitFor(t *testing.T, address string, status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for last := ""; ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%v; the last response of /readyz: %s", err, last)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == status && strings.Contains(string(body), text) {
			return
		}
		last = string(body)
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}
