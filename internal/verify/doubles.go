package verify

import (
	"context"
	"errors"
	"slices"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
)

// double is a started double of what the service connects to.
type double struct {
	component.Double

	server component.Server
}

// startDoubles starts the doubles that the service needs, and returns their environment variables.
func (s *session) startDoubles(ctx context.Context) ([]string, error) {
	var env []string
	for _, d := range s.neededDoubles() {
		s.options.Progress("starting " + d.Name)
		server, more, err := d.Start(ctx)
		if err != nil {
			return nil, err
		}
		s.doubles, env = append(s.doubles, double{d, server}), append(env, more...)
	}
	return env, nil
}

// neededDoubles are those whose address the service reads.
func (s *session) neededDoubles() []component.Double {
	all := s.subject.Doubles
	if all == nil {
		for _, c := range components.All() {
			all = append(all, c.Parts(component.Service{}).Doubles...)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(d component.Double) bool { return !slices.Contains(s.settings, d.Variable) })
}

func (s *session) closeDoubles() error {
	var errs []error
	for _, d := range s.doubles {
		errs = append(errs, d.server.Close())
	}
	return errors.Join(errs...)
}
