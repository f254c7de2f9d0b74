package httpdouble_test

import (
	"net/http"
	"testing"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/component/httpdouble"
)

func TestRequestsFailOnlyWhileTheServerIsStopped(t *testing.T) {
	t.Parallel()
	server, err := httpdouble.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var double component.Server = server
	check := func(want bool) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/any", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			err = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, want 200", resp.StatusCode)
			}
		}
		if got := err == nil; got != want {
			t.Errorf("the server responds: %t, want %t: %v", got, want, err)
		}
	}
	check(true)
	for _, step := range []struct {
		change func() error
		want   bool
	}{
		{double.Stop, false}, {func() error { return double.Restart(t.Context()) }, true}, {double.Close, false},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		check(step.want)
	}
}
