// Command fake responds like a service on the runtime and then misbehaves as FAKE requests. Tests check how
// verify handles such a service.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const page = "# TYPE up_since_seconds gauge\nup_since_seconds 1\n"

func main() {
	if len(os.Args) > 1 {
		answer(os.Args[1])
		return
	}
	mode := os.Getenv("FAKE")
	if mode == "no start" {
		fmt.Fprintln(os.Stderr, "fake: SHOP_KEY is not set; set it to the key of the shop")
		os.Exit(64)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	addr := l.Addr().String()
	if mode == "address of another" {
		addr = os.Getenv("OTHER")
	}
	pid := os.Getpid()
	if mode == "log of another" {
		pid++
	}
	own := fmt.Sprintf("# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %d\n", time.Now().Unix())
	scrapes := atomic.Int32{}
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		n := scrapes.Add(1)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		switch mode {
		case "no metrics":
			w.Header().Del("Content-Type")
			http.NotFound(w, nil)
		case "html":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>Sign in</html>")
		case "malformed":
			fmt.Fprint(w, page+"this is{ no metric\n")
		case "huge":
			for i := 0; i < 1<<20; i++ {
				if _, err := fmt.Fprintf(w, "m{i=\"%d\",pad=%q} 1\n", i, strings.Repeat("x", 100)); err != nil {
					return
				}
			}
		case "crash":
			if n > 5 {
				fmt.Fprintln(os.Stderr, "panic: assignment to entry in nil map")
				os.Exit(2)
			}
			fmt.Fprint(w, page, own)
		case "well":
			fmt.Fprint(w, page, own)
		default:
			fmt.Fprint(w, page)
		}
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM) // before the service logs that it runs
	go func() { _ = http.Serve(l, mux) }()
	fmt.Printf("{\"msg\":\"service started\",\"pid\":%d,\"admin_addr\":%q,\"http_addr\":%q}\n", pid, addr, l.Addr())
	for range stop {
		if mode != "hang" {
			return
		}
	}
}

func answer(verb string) {
	switch verb {
	case "telemetry":
		fmt.Println(`{"service":"fake","routes":["GET /"],"metrics":[]}`)
	case "config":
		fmt.Println("VARIABLE TYPE\nFAKE text")
	default:
		os.Exit(64)
	}
}
