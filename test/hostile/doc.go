// Package hostile sends malformed requests to the generated service of
// examples/orders with its real store. The path of its module is below the
// service's, so that it may import the service's internal packages.
//
//	go test -fuzz FuzzMalformedHTTP -fuzztime 3m -fuzzminimizetime 20x
//	go test -fuzz FuzzMalformedJSON -fuzztime 3m -fuzzminimizetime 20x
package hostile
