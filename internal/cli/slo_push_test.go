package cli_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// ruler is a Mimir ruler that stores groups and records requests.
type ruler struct {
	ts       *testscript.TestScript
	mu       sync.Mutex
	groups   map[string]map[string]any // by namespace and name
	asked    map[string]int            // requests by method
	failures []failing
	tenant   string
	auth     string
	after    string // Retry-After of failures
	hang     bool
}

// failing is the response to a range of requests of a method.
type failing struct {
	method      string
	from, count int
	status      int
	body        string
}

// rulerServer is the script command
//
//	ruler [tenant=NAME] [auth=HEADER] [holds=NAMESPACE:FILE] [after=SECONDS] [hang=yes] [fail=METHOD:FROM:COUNT:STATUS:FILE ...]
//
// It starts a ruler, sets MIMIR to its address and writes each request to the file asked:
// method, path, tenant, and the body.
func rulerServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: ruler [key=value ...]")
	}
	r := &ruler{ts: ts, groups: map[string]map[string]any{}, asked: map[string]int{}}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		r.set(key, value)
	}
	asked := ts.MkAbs("asked")
	ts.Check(os.WriteFile(asked, nil, 0o644))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.serve(w, req, asked) }))
	ts.Defer(server.Close)
	ts.Setenv("MIMIR", server.URL)
}

func (r *ruler) set(key, value string) {
	switch key {
	case "tenant":
		r.tenant = value
	case "auth":
		r.auth = value
	case "after":
		r.after = value
	case "hang":
		r.hang = true
	case "holds":
		namespace, file, _ := strings.Cut(value, ":")
		var holds struct {
			Groups []map[string]any `yaml:"groups"`
		}
		r.ts.Check(yaml.Unmarshal([]byte(r.ts.ReadFile(file)), &holds))
		for _, g := range holds.Groups {
			r.keep(namespace, g)
		}
	case "fail":
		part := strings.Split(value, ":")
		numbers := make([]int, 3)
		for i, text := range part[1:4] {
			n, err := strconv.Atoi(text)
			r.ts.Check(err)
			numbers[i] = n
		}
		r.failures = append(r.failures, failing{part[0], numbers[0], numbers[1], numbers[2], r.ts.ReadFile(part[4])})
	default:
		r.ts.Fatalf("ruler: unknown key %s", key)
	}
}

func (r *ruler) keep(namespace string, group map[string]any) {
	if r.groups[namespace] == nil {
		r.groups[namespace] = map[string]any{}
	}
	r.groups[namespace][group["name"].(string)] = group
}

func (r *ruler) serve(w http.ResponseWriter, req *http.Request, asked string) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if r.hang {
		<-req.Context().Done()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[req.Method]++
	status, answer := r.answer(req, body)
	if status >= http.StatusBadRequest && r.after != "" {
		w.Header().Set("Retry-After", r.after)
	}
	file, err := os.OpenFile(asked, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer file.Close()
	fmt.Fprintf(file, "%d %s %s\n", status, req.Method, req.URL.EscapedPath())
	w.WriteHeader(status)
	fmt.Fprint(w, answer)
}

// answer implements the part of the ruler API that pushing uses.
func (r *ruler) answer(req *http.Request, body []byte) (status int, text string) {
	for _, f := range r.failures {
		if n := r.asked[req.Method]; f.method == req.Method && n >= f.from && n < f.from+f.count {
			return f.status, f.body
		}
	}
	if r.auth != "" && req.Header.Get("Authorization") != r.auth {
		return http.StatusUnauthorized, "<html>Login</html>"
	}
	if got := req.Header.Get("X-Scope-OrgID"); got != r.tenant {
		if got == "" {
			return http.StatusUnauthorized, "no org id\n"
		}
		return http.StatusForbidden, ""
	}
	rest, found := strings.CutPrefix(req.URL.Path, "/prometheus/config/v1/rules/")
	if !found {
		return http.StatusNotFound, "404 page not found\n"
	}
	namespace, name, _ := strings.Cut(rest, "/")
	switch req.Method {
	case http.MethodGet:
		return r.list(namespace)
	case http.MethodDelete:
		delete(r.groups[namespace], name)
		return http.StatusAccepted, `{"status":"success"}`
	}
	var group map[string]any
	if err := yaml.Unmarshal(body, &group); err != nil || group["name"] == nil || req.Header.Get("Content-Type") != "application/yaml" {
		return http.StatusBadRequest, "unable to decode rule group\n"
	}
	r.keep(namespace, group)
	return http.StatusAccepted, `{"status":"success"}`
}

func (r *ruler) list(namespace string) (status int, text string) {
	names := slices.Sorted(maps.Keys(r.groups[namespace]))
	all := map[string][]any{}
	for _, name := range names {
		all[namespace] = append(all[namespace], r.groups[namespace][name])
	}
	out, err := yaml.Marshal(all)
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return http.StatusOK, string(out)
}
