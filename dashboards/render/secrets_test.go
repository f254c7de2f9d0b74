package render

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

func TestErrorsOfStoresHaveNoSecrets(t *testing.T) {
	t.Parallel()
	const secret, password = "TOPSECRET123", "hunter2"
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + password))
	for _, address := range []string{"http://user:" + password + "@store/", "http://user:" + password + "@[::1", "http://store/?apikey=" + password} {
		for _, response := range []string{
			"nonsense", `{"status":"error","error":"you sent Bearer ` + secret + ` and Basic ` + basic + `"}`, `{"status":"?` + secret + `"}`,
			`{"status":"success","data":{"resultType":"streams","result":1}}`, `{"flamebearer":{"names":[],"levels":[[0,1,1,7]]}}`,
		} {
			s := Store{URL: address, Secret: secret, Get: func(context.Context, string) ([]byte, error) { return []byte(response), nil }}
			for store, kind := range map[string]Kind{Prometheus: Range, Loki: Logs, Tempo: Traces, Pyroscope: Profile} {
				_, err := (Stores{s, s, s, s}).Query(t.Context(), Query{Store: store, Kind: kind, From: end().Add(-time.Hour), To: end(), Step: time.Minute})
				sent := strings.Contains(address, "@store") // only this URL has user and password
				if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), password) || sent && strings.Contains(err.Error(), basic)) {
					t.Errorf("%s with %s: %v", store, response, err)
				}
			}
		}
	}
	s := Store{URL: "http://store", Secret: secret, Get: func(context.Context, string) ([]byte, error) {
		return nil, errors.Join(errors.New(secret), fs.ErrPermission)
	}}
	if _, err := (Stores{Prometheus: s}).Query(t.Context(), Query{Store: Prometheus, Kind: Alerts}); !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

func TestErrorTextsAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	store, _ := page(`{"status":"error","error":"` + long + `"}`)
	_, err := Stores{Prometheus: store}.Query(t.Context(), Query{Store: Prometheus, Kind: Alerts})
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("of a store: %v", err)
	}
	q := Query{Store: Prometheus, Kind: Alerts}
	_, err = Snapshot{Results: []Entry{{q, Result{Error: long}}}}.Source()(t.Context(), q)
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("of a snapshot: %v", err)
	}
}

// Variables share the values of a snapshot.
func TestVariablesDoNotChangeTheResultOfAQuery(t *testing.T) {
	t.Parallel()
	values := []string{"b", "a", "a", "c"}
	if _, err := (variable{Sort: 2}).ordered(values, (*limits)(nil).done); err != nil || !slices.Equal(values, []string{"b", "a", "a", "c"}) {
		t.Errorf("got %q", values)
	}
	series := model.Matrix{{Metric: model.Metric{"b": "1"}}, {Metric: model.Metric{"a": "1"}}}
	drawOne(t, panelJSON("timeseries", ""), always(Result{Series: series}))
	if series[0].Metric["b"] != "1" {
		t.Errorf("got %v", series)
	}
}
