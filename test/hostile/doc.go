// Package hostile sends malformed requests to the generated service of
// examples/orders and its PostgreSQL store. Its module path is below that of the
// service, because it imports internal packages of the service.
//
//	go test -fuzz FuzzMalformedHTTP -fuzztime 3m -fuzzminimizetime 20x
//	go test -fuzz FuzzMalformedJSON -fuzztime 3m -fuzzminimizetime 20x
package hostile
