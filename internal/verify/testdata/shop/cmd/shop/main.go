// Command shop is a service that was not generated: a ServeMux on the runtime, with its own metric, rules and
// dashboard.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

func main() {
	os.Exit(runtime.Main(runtime.Info{Name: "shop", Version: "1.2.3"}, runtime.Defaults{LatencyBounds: []float64{0.25}}, run))
}

func run(ctx context.Context, svc *runtime.Service) error {
	carts, err := svc.Metrics().Counter("shop_carts_total", "Carts by how they ended.", "ending")
	if err != nil {
		return err
	}
	for _, ending := range []string{"sold", "abandoned"} {
		carts.WithLabelValues(ending)
	}
	s := &shop{carts: carts, items: map[int]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /carts", s.add)
	mux.HandleFunc("GET /carts/{id}", s.get)
	mux.HandleFunc("GET /carts", s.list)
	svc.Handle(mux, httpserver.Routes("POST /carts", "GET /carts/{id}", "GET /carts"))
	return svc.Run(ctx)
}

// shop stores carts in memory.
type shop struct {
	carts *prometheus.CounterVec
	mu    sync.Mutex
	items map[int]string
}

func (s *shop) add(w http.ResponseWriter, r *http.Request) {
	var in struct{ Item string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Item == "" {
		httpserver.WriteProblem(w, r, apierror.Invalid("a cart holds an item"))
		return
	}
	s.mu.Lock()
	id := len(s.items) + 1
	s.items[id] = in.Item
	s.mu.Unlock()
	s.carts.WithLabelValues("sold").Inc()
	w.Header().Set("Location", "/carts/"+strconv.Itoa(id))
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "item": in.Item})
}

func (s *shop) get(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	item, ok := s.items[id]
	s.mu.Unlock()
	if !ok {
		httpserver.WriteProblem(w, r, apierror.NotFound("there is no such cart"))
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "item": item})
}

func (s *shop) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(len(s.items))
}
