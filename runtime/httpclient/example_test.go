package httpclient_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

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
