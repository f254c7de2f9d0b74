// Command bench compares the cost of observing one HTTP request with this project's
// runtime, the usual Go stack and frameworks. `make bench-peers` runs it. It prints
// the results and writes them to RESULTS.md.
//
// Each stack serves the same request in process: no network, one goroutine, and a
// response writer that drops the response. Allocations and bytes are exact.
// Instructions are counted with valgrind's cachegrind, as the difference of two runs
// with different numbers of requests. Wall time is not measured, because it depends
// on the load of the machine.
package main
