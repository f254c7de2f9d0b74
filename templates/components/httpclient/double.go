package httpclient

import (
	"context"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/component/httpdouble"
)

// doubles returns a server for each upstream.
func (o *Options) doubles() []component.Double {
	var out []component.Double
	for _, u := range o.Upstreams {
		variable := u.variable() + "_URL"
		out = append(out, component.Double{
			Name: u.Name, Variable: variable, Check: u.Name, Alert: upstreamFailing().Name, AlertLabels: map[string]string{semconv.LabelPeerName: u.Name},
			Start: func(ctx context.Context) (component.Server, []string, error) {
				s, err := httpdouble.Start(ctx)
				if err != nil {
					return nil, nil, err
				}
				return s, []string{variable + "=" + s.URL()}, nil
			},
		})
	}
	return out
}
