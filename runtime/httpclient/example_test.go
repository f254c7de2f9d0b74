package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/observability-first/scaffold/runtime/httpclient"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

func ExampleNew() {
	calls := 0
	payments := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		if calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable) // a retry may succeed
			return
		}
		fmt.Fprint(w, "paid")
	}))
	defer payments.Close()

	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := httpclient.New(httpclient.Options{Telemetry: tel, Hosts: []string{"127.0.0.1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Get(payments.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(string(text), err, "after", calls, "calls")
	// Output: paid <nil> after 2 calls
}

// A service loads the configuration with svc.Load and passes svc as the host. The check is for
// svc.CheckOptional.
func ExampleNewUpstream() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/payments/healthz" {
			fmt.Fprint(w, r.Method, " ", r.URL)
		}
	}))
	defer server.Close()

	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := httpclient.UpstreamConfig{URL: server.URL + "/payments", Config: httpclient.Config{Timeout: 2 * time.Second}}
	payments, err := httpclient.NewUpstream(&service{telemetry: tel}, "payments", cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println("check:", payments.Check(ctx))
	req, err := payments.NewRequest(ctx, http.MethodGet, "/v1/charges/42?expand=refunds", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := payments.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(string(text), err)
	// Output:
	// check: <nil>
	// GET /payments/v1/charges/42?expand=refunds <nil>
}
