package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// grafanaServer is the script command
//
//	grafana [uid=existing|uid=provisioned ...]
//
// It starts a Grafana that requires the token "secret", sets GRAFANA to its address and writes
// saved dashboards to the file saved.
func grafanaServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: grafana [uid=existing|uid=provisioned ...]")
	}
	known := map[string]string{}
	for _, arg := range args {
		uid, state, _ := strings.Cut(arg, "=")
		known[uid] = state
	}
	saved := ts.MkAbs("saved")
	ts.Check(os.WriteFile(saved, nil, 0o644))
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"database":"ok","version":"13.2.3"}`)
	})
	mux.HandleFunc("GET /api/folders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[]`) })
	mux.HandleFunc("POST /api/folders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"uid":"shop-uid"}`) })
	mux.HandleFunc("GET /api/dashboards/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		state, found := known[r.PathValue("uid")]
		if !found {
			http.Error(w, `{"message":"Dashboard not found"}`, http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"meta":{"provisioned":%t,"folderUid":"old-uid"},"dashboard":{}}`, state == "provisioned")
	})
	mux.HandleFunc("POST /api/dashboards/db", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Dashboard struct {
				ID    *int   `json:"id"`
				UID   string `json:"uid"`
				Title string `json:"title"`
			} `json:"dashboard"`
			FolderUID string `json:"folderUid"`
			Message   string `json:"message"`
			Overwrite bool   `json:"overwrite"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Dashboard.ID != nil || !body.Overwrite {
			http.Error(w, `{"message":"bad request data"}`, http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		file, err := os.OpenFile(saved, os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer file.Close()
		fmt.Fprintf(file, "%s in %q: %s\n", body.Dashboard.UID, body.FolderUID, body.Message)
		fmt.Fprintf(w, `{"url":"/d/%s/x"}`, body.Dashboard.UID)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/health" && r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, `{"message":"Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv("GRAFANA", server.URL)
}
