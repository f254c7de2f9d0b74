package httpclient

import (
	"fmt"
	"slices"
	"time"
)

// data are the values in the templates.
type data struct {
	Upstreams []upstream
	Ports     []string // of all URLs, each once
}

// upstream is an upstream in Go code.
type upstream struct {
	Name, Field, Variable string
	URL, HealthPath       string
	Timeout               string // a Go expression
	HeaderTimeout         string // a Go expression, empty for the default
}

// headerTimeout is the default of the runtime. A longer timeout of calls needs a longer one for their headers, too.
const headerTimeout = 5 * time.Second

func (o *Options) data() data {
	var d data
	for _, u := range o.Upstreams {
		one := upstream{
			Name: u.Name, Field: u.field(), Variable: u.variable(), URL: u.URL, HealthPath: u.HealthPath, Timeout: goDuration(u.Timeout),
		}
		if u.Timeout > headerTimeout {
			one.HeaderTimeout = one.Timeout
		}
		d.Upstreams = append(d.Upstreams, one)
		if port := u.port(); !slices.Contains(d.Ports, port) {
			d.Ports = append(d.Ports, port)
		}
	}
	return d
}

// goDuration writes a duration of whole milliseconds as a Go expression.
func goDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d * time.Second", d/time.Second)
	}
	return fmt.Sprintf("%d * time.Millisecond", d/time.Millisecond)
}
