package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const gate = `{"service":"orders","processes":"processes","objectives":[
	{"name":"availability","objective":"99.9","threshold":0.0144,"factor":14.4,"minBadEvents":5,"total":"total","bad":"bad"}]}`

// serve answers each query with a number, or with none.
func serve(t *testing.T, numbers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := ""
		if n := numbers[r.PostFormValue("query")]; n != "" {
			result = `{"metric":{},"value":[1,"` + n + `"]}`
		}
		w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[` + result + `]}}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gate.json")
	if err := os.WriteFile(file, []byte(gate), 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"count(processes)": "3", "total": "100", "bad": "0"}
	for name, tt := range map[string]struct {
		numbers map[string]string
		args    string
		want    int
		says    string
	}{
		"good":                  {good, "", exitHealthy, "healthy: 3 processes"},
		"bad":                   {map[string]string{"count(processes)": "3", "total": "100", "bad": "50"}, "", exitBurning, "burning: "},
		"empty":                 {nil, "", exitUnknown, "unknown: no process of version v2"},
		"too few":               {good, "-min-events 101", exitUnknown, "too few"},
		"a probe":               {good, "-probe", exitHealthy, ""},
		"a probe of nothing":    {nil, "-probe", exitHealthy, ""},
		"no version":            {good, "-version=", exitUsage, "-version have to be given"},
		"no time":               {good, "-watch 0s", exitUsage, "a watch of 0s sees nothing"},
		"no time at all":        {good, "-watch soon", exitUsage, "soon"},
		"no events":             {good, "-min-events 0", exitUsage, "1 or more"},
		"an argument too many":  {good, "now", exitUsage, `"now"`},
		"a gate that is absent": {good, "-gate absent.json", exitError, "absent.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, tt.numbers)
			environment := func(name string) string { return map[string]string{"PROMETHEUS_URL": address}[name] }
			args := append([]string{"-gate", file, "-environment", "prod", "-version", "v2", "-watch", "1s"}, strings.Fields(tt.args)...)
			var out strings.Builder
			if got := run(t.Context(), args, environment, &out, &out); got != tt.want || !strings.Contains(out.String(), tt.says) {
				t.Errorf("exit code %d, want %d with %q:\n%s", got, tt.want, tt.says, &out)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "prometheus:9090", "ftp://prometheus", "http://", "http://%zz"} {
		var out strings.Builder
		got := run(t.Context(), []string{"-environment", "prod", "-version", "v2"}, func(string) string { return address }, &out, &out)
		if got != exitUsage || !strings.Contains(out.String(), "PROMETHEUS_URL is not the address") {
			t.Errorf("%q: exit code %d:\n%s", address, got, &out)
		}
	}
}
