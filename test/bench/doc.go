// Command bench compares what observing one HTTP request costs: by this
// project's runtime, by the usual Go stack and by frameworks. `make bench-peers`
// runs it; it prints one table and writes the same to RESULTS.md.
//
// Each stack serves the same request in process: no network, one goroutine, a
// writer with the optional interfaces of net/http's own that keeps nothing.
// Allocations and bytes are exact. Instructions are counted by valgrind's
// cachegrind, as the difference of two runs that differ only in their number of
// requests. Wall time is not measured: it says more about the machine's other
// guests than about the code.
package main
