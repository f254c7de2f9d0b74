package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

const thingsDocument = `{"openapi":"3.1.0","paths":{"/things":{"post":{
	"parameters":[{"name":"size","in":"query","schema":{"type":"integer","minimum":1}}],
	"requestBody":{"content":{"application/json":{"schema":{"type":"object","required":["name"],"properties":{"name":{"type":"string","maxLength":3}}}}}},
	"responses":{"201":{"content":{"application/json":{"schema":{"type":"object","additionalProperties":false,"properties":{"id":{"type":"string"}}}}}}}}}}}`

// things is a server that follows thingsDocument, except for what a test changes.
type things struct {
	status     int
	body       string
	most, size int // limits that it enforces
	says       string
	errors     string // in the problem details; none if empty
}

func (s things) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"name"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	size := s.size
	_, _ = fmt.Sscan(r.URL.Query().Get("size"), &size)
	if len(in.Name) > s.most || size < s.size {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprintf(w, `{"detail":%q,"errors":%s}`, s.says, cmp.Or(s.errors, "null"))
		return
	}
	w.WriteHeader(s.status)
	_, _ = w.Write([]byte(s.body))
}

func TestContractComparesTheServiceWithItsDocument(t *testing.T) {
	t.Parallel()
	right := things{status: http.StatusCreated, body: `{"id":"7"}`, most: 3, size: 1, says: "body.name or query.size"}
	for name, tc := range map[string]struct {
		change func(*things)
		want   string
	}{
		"the document is correct":                {func(*things) {}, ""},
		"an undocumented member":                 {func(s *things) { s.body = `{"id":"7","color":"red"}` }, "does not match its schema"},
		"a member of another type":               {func(s *things) { s.body = `{"id":7}` }, "does not match its schema"},
		"a response that is not JSON":            {func(s *things) { s.body = "<id>" }, "is not JSON"},
		"an undocumented status":                 {func(s *things) { s.status = http.StatusOK }, "status 200 is not documented"},
		"a text that is too long is accepted":    {func(s *things) { s.most = 4 }, "body.name outside its maxLength 3: got status 201, want 422"},
		"a number that is too small is accepted": {func(s *things) { s.size = 0 }, "query.size outside its minimum 1: got status 201, want 422"},
		"another field is named":                 {func(s *things) { s.errors = `[{"location":"body.color","message":"name"}]` }, "body.name outside its maxLength 3: got status 422, want 422 and the name of the field"},
		"the field is not named":                 {func(s *things) { s.says = "no" }, "body.name outside its maxLength 3: got status 422, want 422 and the name of the field"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serves := right
			tc.change(&serves)
			server := httptest.NewServer(serves)
			t.Cleanup(server.Close)
			document, err := openapi.Parse([]byte(thingsDocument))
			if err != nil {
				t.Fatal(err)
			}
			s := &session{document: document, driver: newDriver(server.URL, document, []string{"POST /things"}, httpfile.File{}, 0)}
			s.contract(t.Context())
			got := strings.Join(failures(s.checks.Report("things", 0)), "\n")
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
		})
	}
}

// Schemas of OpenAPI 3.0 have keywords that JSON Schema does not have, such as nullable.
func TestContractReportsUnsupportedOldDocuments(t *testing.T) {
	t.Parallel()
	document, err := openapi.Parse([]byte(strings.Replace(thingsDocument, "3.1.0", "3.0.3", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{document: document}
	s.contract(t.Context())
	if got := s.checks.Report("things", 0).Checks; len(got) != 1 || got[0].Status != report.Skipped {
		t.Errorf("got %+v", got)
	}
}
