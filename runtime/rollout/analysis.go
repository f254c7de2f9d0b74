package rollout

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Analysis is the input of a rollout analysis: the file that scaffold compiles from the
// objectives of a service.
//
// [Runner] replaces placeholders in the queries: $environment, $version and ${NAME} for each of
// Labels with their values, escaped for a string in double quotes, $window with the time since
// the analysis began, such as 90s, and $instances with the query Instances.
type Analysis struct {
	Service string `json:"service"`
	// Labels distinguish the parts of an environment, such as cluster. A rollout is to one value
	// of each.
	Labels []string `json:"labels,omitempty"`
	// Instances is a query that returns a series for each instance of the version.
	Instances  string      `json:"instances"`
	Objectives []Objective `json:"objectives"`
	// Skipped lists the objectives that are not analyzed, with the reason.
	Skipped []string `json:"skipped,omitempty"`
}

// Objective is an objective of an [Analysis]. Each query returns one number, or nothing if there
// is no data.
type Objective struct {
	Name      string  `json:"name"`
	Objective string  `json:"objective"` // percent, for messages
	Threshold float64 `json:"threshold"` // ratio of bad events, 0 to 1, above which the analysis fails
	Factor    float64 `json:"factor"`    // burn rate at the threshold
	// MinBadEvents is the number of bad events below which the analysis does not fail.
	MinBadEvents float64 `json:"minBadEvents"`
	Total        string  `json:"total"`
	Bad          string  `json:"bad,omitempty"`  // events that spend the error budget, or
	Good         string  `json:"good,omitempty"` // events that do not
	// Idle returns a number if Total has no data because no event has happened.
	Idle string `json:"idle,omitempty"`
}

// Read parses an analysis. An unknown key is an error.
func Read(r io.Reader) (Analysis, error) {
	var a Analysis
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return Analysis{}, err
	}
	return a, a.check()
}

func (a Analysis) check() error {
	if a.Service == "" || a.Instances == "" {
		return errors.New("service and instances are required")
	}
	for _, o := range a.Objectives {
		switch {
		case o.Name == "" || o.Total == "" || (o.Bad == "") == (o.Good == ""):
			return fmt.Errorf("objective %q: name, total and one of bad and good are required", o.Name)
		case !(o.Threshold > 0 && o.Threshold < 1):
			return fmt.Errorf("objective %s: threshold %v is not between 0 and 1", o.Name, o.Threshold)
		case o.MinBadEvents < 0:
			return fmt.Errorf("objective %s: minBadEvents %v is negative", o.Name, o.MinBadEvents)
		}
	}
	return nil
}

// ParseLabels parses the values of Labels from comma-separated pairs, such as
// cluster=eu-1,region=eu. It requires one pair for each label and accepts no others.
func (a Analysis) ParseLabels(text string) (map[string]string, error) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if name == "" && value == "" {
			continue
		}
		if !slices.Contains(a.Labels, name) {
			return nil, fmt.Errorf("unknown label %q; known labels: %s", name, cmp.Or(strings.Join(a.Labels, ", "), "none"))
		}
		values[name] = value
	}
	for _, name := range a.Labels {
		if values[name] == "" {
			return nil, fmt.Errorf("label %s has no value; set one such as %s=eu-1", name, name)
		}
	}
	return values, nil
}

func (r Runner) fill(query string, window time.Duration) string {
	query = strings.ReplaceAll(query, "$instances", r.Analysis.Instances)
	values := []string{
		"$environment", inQuotes(r.Environment), "$version", inQuotes(r.Version),
		// PromQL has no fractions of a unit and no empty range.
		"$window", strconv.Itoa(max(1, int(window/time.Second))) + "s",
	}
	for _, name := range r.Analysis.Labels {
		values = append(values, "${"+name+"}", inQuotes(r.Labels[name]))
	}
	return strings.NewReplacer(values...).Replace(query)
}

// inQuotes escapes a value for a string in double quotes, so that it cannot end it.
func inQuotes(value string) string {
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1]
}
