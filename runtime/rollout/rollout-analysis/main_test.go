package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const analysis = `{"service":"orders","instances":"instances","objectives":[
	{"name":"availability","objective":"99.9","threshold":0.0144,"factor":14.4,"minBadEvents":5,"total":"total","bad":"bad"}]}`

// serve responds to each query with a number, or with none.
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
	file := filepath.Join(t.TempDir(), "analysis.json")
	if err := os.WriteFile(file, []byte(analysis), 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"count(instances)": "3", "total": "100", "bad": "0"}
	for name, tt := range map[string]struct {
		numbers map[string]string
		args    string
		want    int
		says    string
	}{
		"good":                   {good, "", exitPassed, "rollout analysis passed: 3 instances"},
		"bad":                    {map[string]string{"count(instances)": "3", "total": "100", "bad": "50"}, "", exitFailed, "rollout analysis failed: "},
		"empty":                  {nil, "", exitInconclusive, "rollout analysis is inconclusive: no instance of version v2"},
		"too few requests":       {good, "-min-requests 101", exitInconclusive, "fewer than 101"},
		"a check":                {good, "-check", exitPassed, ""},
		"a check without data":   {nil, "-check", exitPassed, ""},
		"no version":             {good, "-version=", exitUsage, "-version are required"},
		"a duration of zero":     {good, "-duration 0s", exitUsage, "-duration 0s is too short"},
		"not a duration":         {good, "-duration soon", exitUsage, "soon"},
		"no requests":            {good, "-min-requests 0", exitUsage, "1 or more"},
		"an unexpected argument": {good, "now", exitUsage, `"now"`},
		"a missing file":         {good, "-file absent.json", exitError, "absent.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, tt.numbers)
			environment := func(name string) string { return map[string]string{"PROMETHEUS_URL": address}[name] }
			args := append([]string{"-file", file, "-environment", "prod", "-version", "v2", "-duration", "1s"}, strings.Fields(tt.args)...)
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
		if got != exitUsage || !strings.Contains(out.String(), "PROMETHEUS_URL is not a URL") {
			t.Errorf("%q: exit code %d:\n%s", address, got, &out)
		}
	}
}

// A rollout to one cluster must not be analyzed by the events of all clusters.
func TestLabelsAreRequired(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "analysis.json")
	text := strings.Replace(analysis, `"instances":"instances"`, `"labels":["cluster"],"instances":"instances ${cluster}"`, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := serve(t, map[string]string{"count(instances)": "3", "total": "100", "bad": "0"})
	for labels, tt := range map[string]struct {
		want int
		says string
	}{
		"cluster=eu-1":        {exitInconclusive, "no instance of version v2"},
		"":                    {exitUsage, `ANALYSIS_LABELS="": label cluster has no value; set one such as cluster=eu-1`},
		"cluster=":            {exitUsage, "label cluster has no value"},
		"zone=a,cluster=eu-1": {exitUsage, `unknown label "zone"; known labels: cluster`},
		"eu-1":                {exitUsage, `unknown label "eu-1"`},
	} {
		environment := func(name string) string {
			return map[string]string{"PROMETHEUS_URL": address, "ANALYSIS_LABELS": labels}[name]
		}
		var out strings.Builder
		got := run(t.Context(), []string{"-file", file, "-environment", "prod", "-version", "v2", "-duration", "1s"}, environment, &out, &out)
		if got != tt.want || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%q: exit code %d, want %d with %q:\n%s", labels, got, tt.want, tt.says, &out)
		}
	}
}
