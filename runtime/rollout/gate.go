package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Gate is what a new version is held against: the file that scaffold compiles
// from the objectives of a service.
//
// Queries hold the names $environment, $version and $window, in the place of
// which [Watch] puts the environment and the version, escaped for a text in
// double quotes, and the time since the watch began, as in 90s. $processes
// stands for the query of that name.
type Gate struct {
	Service string `json:"service"`
	// Processes gives a series for each process of the version.
	Processes  string      `json:"processes"`
	Objectives []Objective `json:"objectives"`
	// LeftOut says which objectives judge no roll-out, and why.
	LeftOut []string `json:"leftOut"`
}

// Objective is one objective of a [Gate]. Its queries give one number each, or
// nothing where there is no data.
type Objective struct {
	Name      string  `json:"name"`
	Objective string  `json:"objective"` // percent, for people to read
	Threshold float64 `json:"threshold"` // share of bad events, 0 to 1, above which the budget burns
	Factor    float64 `json:"factor"`    // how many times faster than allowed that is
	// MinBadEvents is the number of bad events below which nothing burns.
	MinBadEvents float64 `json:"minBadEvents"`
	Total        string  `json:"total"`
	Bad          string  `json:"bad"`  // the events that spend the budget, or
	Good         string  `json:"good"` // those that do not
	// Idle gives a number where there is no total because nothing has happened.
	Idle string `json:"idle"`
}

// ReadGate reads a gate strictly: a key that it does not know is an error, since
// whoever wrote it meant something by it.
func ReadGate(r io.Reader) (Gate, error) {
	var g Gate
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return Gate{}, err
	}
	return g, g.check()
}

func (g Gate) check() error {
	if g.Service == "" || g.Processes == "" {
		return errors.New("service and processes have to be there")
	}
	for _, o := range g.Objectives {
		switch {
		case o.Name == "" || o.Total == "" || (o.Bad == "") == (o.Good == ""):
			return fmt.Errorf("objective %q: name, total and one of bad and good have to be there", o.Name)
		case !(o.Threshold > 0 && o.Threshold < 1):
			return fmt.Errorf("objective %s: a threshold of %v is no share between 0 and 1", o.Name, o.Threshold)
		case o.MinBadEvents < 0:
			return fmt.Errorf("objective %s: minBadEvents of %v is negative", o.Name, o.MinBadEvents)
		}
	}
	return nil
}

// fill puts values in the place of the names in a query.
func (g Gate) fill(query, environment, version string, window time.Duration) string {
	query = strings.ReplaceAll(query, "$processes", g.Processes)
	return strings.NewReplacer(
		"$environment", inQuotes(environment), "$version", inQuotes(version),
		// PromQL has no fractions of a unit, and no range of nothing.
		"$window", strconv.Itoa(max(1, int(window/time.Second)))+"s",
	).Replace(query)
}

// inQuotes escapes a value for a text in double quotes, so that it cannot end it.
func inQuotes(value string) string {
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1]
}
