package runtime_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// childVariable is the environment variable with the plan of a process of this test binary that
// runs no tests.
const childVariable = "RUNTIME_TEST_CHILD"

// childPlan is what a child process does until its standard input is closed, which happens when
// the parent ends.
type childPlan struct {
	Role    string
	Limited bool          // a complete service; otherwise bare chi
	Clients int           // of roleCall
	Lasts   time.Duration // of roleCall
}

// Roles of a child.
const (
	roleSpin  = "spin"  // use one CPU
	roleServe = "serve" // print the address and serve requests
	roleCall  = "call"  // send requests without a network and print the results
)

func TestMain(m *testing.M) {
	text := os.Getenv(childVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := runChild(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(text string) error {
	var plan childPlan
	if err := json.Unmarshal([]byte(text), &plan); err != nil { //nolint:musttag // both ends are in this file
		return err
	}
	parent, ended := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended()
	}()
	switch {
	case plan.Role == roleSpin:
		for parent.Err() == nil {
			compute(1000)
		}
		return nil
	case plan.Role == roleCall:
		return call(parent, plan)
	case plan.Limited:
		return serveLimited(parent)
	}
	return serveBare(parent)
}

// call sends requests directly to the handler.
func call(ctx context.Context, plan childPlan) error {
	handler, err := http.Handler(computing(chi.NewRouter())), error(nil)
	if plan.Limited {
		handler, err = limited()
	}
	if err != nil {
		return err
	}
	got := drive(plan.Clients, plan.Lasts, func() func() int {
		return func() int {
			w := &statusWriter{sink: sink{http.Header{}}, code: http.StatusOK}
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/orders/1", http.NoBody)
			if err != nil {
				return 0
			}
			handler.ServeHTTP(w, r)
			return w.code
		}
	})
	return json.NewEncoder(os.Stdout).Encode(got) //nolint:musttag // both ends are in this file
}

// statusWriter is a response writer that stores only the status.
type statusWriter struct {
	sink
	code int
}

func (s *statusWriter) WriteHeader(code int) { s.code = code }

// limited returns a handler with the middleware of a service with default settings.
func limited() (http.Handler, error) {
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		return nil, err
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		return nil, err
	}
	limiter, err := overload.New(overload.Options{
		Config: overload.Config{MemoryRatio: 0.9, MemoryShedRatio: 0.8}, Metrics: tel.Metrics(), Failed: httpserver.Failed,
	})
	if err != nil {
		return nil, err
	}
	return observer.Wrap(limiter.Wrap(computing(httpserver.NewRouter()), nil), httpserver.Routes("GET /orders/{id}"))
}

func serveLimited(parent context.Context) error {
	stop := make(chan os.Signal, 1)
	context.AfterFunc(parent, func() { stop <- os.Interrupt })
	exit := runtime.Execute(context.WithoutCancel(parent), runtime.Process{
		LookupEnv: os.LookupEnv, Stdout: io.Discard, Stderr: os.Stderr, Signals: stop,
		Started: func(http, admin net.Addr) { fmt.Println(http, admin) },
	}, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(computing(httpserver.NewRouter()))
		return svc.Run(ctx)
	})
	if exit != 0 {
		return fmt.Errorf("the service ended with status %d", exit)
	}
	return nil
}

func serveBare(parent context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(parent, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr(), listener.Addr())
	server := &http.Server{Handler: computing(chi.NewRouter()), ReadHeaderTimeout: time.Minute}
	context.AfterFunc(parent, func() { _ = server.Close() })
	_ = server.Serve(listener)
	return nil
}

type child struct {
	url, adminURL string // of roleServe
	cmd           *exec.Cmd
	stdin         io.Closer
	stdout        *bufio.Reader
}

// startChild starts this test binary with the plan. If cmd is given, it must execute the test
// binary.
func startChild(tb testing.TB, plan childPlan, cmd *exec.Cmd, env ...string) *child {
	tb.Helper()
	text, err := json.Marshal(plan) //nolint:musttag // both ends are in this file
	if err != nil {
		tb.Fatal(err)
	}
	if cmd == nil {
		cmd = exec.CommandContext(tb.Context(), os.Args[0])
	}
	p := &child{cmd: cmd}
	cmd.Env = append(os.Environ(), childVariable+"="+string(text), "HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	out, errOut := cmd.StdoutPipe()
	in, errIn := cmd.StdinPipe()
	if errOut != nil || errIn != nil {
		tb.Fatal(errOut, errIn)
	}
	p.stdin, p.stdout = in, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if plan.Role != roleServe {
		return p
	}
	line, err := p.stdout.ReadString('\n')
	addr, admin, found := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !found {
		tb.Fatalf("the child printed %q instead of its addresses: %v", line, err)
	}
	p.url, p.adminURL = "http://"+addr, "http://"+admin
	return p
}

// end stops the child and returns the error of its exit.
func (p *child) end() error {
	_ = p.stdin.Close()
	return p.cmd.Wait()
}
