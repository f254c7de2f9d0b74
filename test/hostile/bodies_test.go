package hostile

import (
	"fmt"
	"net/http"
	"strings"
)

// largeBody is the body of a create request near the limit of 1 MiB that is expensive to
// decode, and the expected response.
type largeBody struct {
	body   string
	status int
	more   string // part of the response
}

func largeBodies() map[string]largeBody {
	const size = 1<<20 - 100
	members := func(n int, value string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%06d":%s,`, i, value)
		}
		return "{" + b.String() + `"name":"a"}`
	}
	return map[string]largeBody{
		"70,000 unknown names":   {members(70_000, "0"), http.StatusRequestEntityTooLarge, ""},
		"most members accepted":  {members(4_990, `"`+strings.Repeat("x", 190)+`"`), http.StatusUnprocessableEntity, `"more_errors":4970`},
		"objects in objects":     {`{"name":` + strings.Repeat(`{"a":`, 4_990) + "0" + strings.Repeat("}", 4_991), http.StatusUnprocessableEntity, ""},
		"350,000 empty objects":  {"[" + strings.Repeat("{},", size/3) + "{}]", http.StatusRequestEntityTooLarge, ""},
		"a long value":           {`{"name":"` + strings.Repeat("x", size) + `"}`, http.StatusUnprocessableEntity, ""},
		"a long value of <":      {`{"name":"` + strings.Repeat("<", size) + `"}`, http.StatusUnprocessableEntity, ""}, // often escaped with six bytes
		"a long value of U+2028": {`{"name":"` + strings.Repeat("\u2028", size/3) + `"}`, http.StatusUnprocessableEntity, ""},
		"a long escaped value":   {`{"name":"` + strings.Repeat(`\u0041`, size/6) + `"}`, http.StatusUnprocessableEntity, ""},
		"a long name":            {`{"name":"a","` + strings.Repeat("x", size) + `":1}`, http.StatusRequestEntityTooLarge, ""},
		"a long number":          {`{"name":` + strings.Repeat("1", size) + `}`, http.StatusBadRequest, ""},
		"JSON that ends early":   {`{"name":"` + strings.Repeat("x", size), http.StatusBadRequest, ""},
	}
}
