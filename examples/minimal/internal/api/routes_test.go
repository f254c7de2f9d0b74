package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	openapi "github.com/observability-first/scaffold/examples/minimal/api"
	"github.com/observability-first/scaffold/examples/minimal/internal/api"
)

func TestDocumentDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openapi.Document, &document); err != nil {
		t.Fatal(err)
	}
	methods := []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"} // a path has other keys, too
	described := []string{"GET /openapi.json"}                                               // the document does not describe itself
	for path, operations := range document.Paths {
		for key := range operations {
			if method := strings.ToUpper(key); slices.Contains(methods, method) {
				described = append(described, method+" "+path)
			}
		}
	}
	var served []string
	err := chi.Walk(api.Routes(nil).(chi.Routes), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.HasSuffix(path, "*") { // skip mounted handlers
			served = append(served, method+" "+path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("api/openapi.json describes\n%q\nthe service has the routes\n%q", described, served)
	}
}
