package checks

import (
	"strings"
	"testing"
)

func TestRoutesAreComparedWithTheDocument(t *testing.T) {
	t.Parallel()
	document := `{"openapi":"3.1.0","paths":{
"/v1/orders/{id}":{"get":{}},
"/v1.0/orders":{"parameters":[],"get":{}}}}`
	for name, tc := range map[string]struct {
		routes string
		want   string
	}{
		"equal":                         {"GET /v1/orders/{id},GET /v1.0/orders,GET /openapi.json", ""},
		"parameter with a pattern":      {"GET /v1/orders/{id:[0-9]{3}},GET /v1.0/orders", ""},
		"two parameters in one segment": {"GET /v1/orders/{id},GET /v1.0/orders,GET /v1/{from:[a-z]+}.{to:[0-9]{3}}", "GET /v1/{from}.{to} is a route without an operation"},
		"mounted handler and procedure": {"GET /v1/orders/{id},GET /v1.0/orders,GET /files/*,POST /acme.v1.Orders/Get", ""},
		"route without an operation":    {"GET /v1/orders/{id},GET /v1.0/orders,PUT /v1/orders/{id}", "2:1: PUT /v1/orders/{id} is a route without an operation"},
		"path with a dot":               {"GET /v1/orders/{id},GET /v1.0/orders,GET /.well-known/jwks.json", "GET /.well-known/jwks.json is a route without an operation"},
		"operation without a route":     {"GET /v1/orders/{id}", "GET /v1.0/orders is not a route of the service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range compareDocument([]byte(document), strings.Split(tc.routes, ",")) {
				got = append(got, f.String())
			}
			if text := strings.Join(got, "\n"); (text == "") != (tc.want == "") || len(got) > 1 || !strings.Contains(text, tc.want) {
				t.Errorf("got %q, want %q", text, tc.want)
			}
		})
	}
}
