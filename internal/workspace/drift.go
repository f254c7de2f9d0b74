package workspace

// Drift is one generated file that is not what generating would write. The JSON
// names are public.
type Drift struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Drift returns what applying the plan would change, with the reason in words.
// Files that are the user's never drift.
func (p Plan) Drift() []Drift {
	var drift []Drift
	for _, c := range p.Changes {
		if reason := c.drift(); reason != "" {
			drift = append(drift, Drift{Path: c.Path, Reason: reason})
		}
	}
	return drift
}

func (c Change) drift() string {
	switch c.Action {
	case Create:
		return "it is missing"
	case Update:
		return "it is out of date"
	case Remove:
		return "it is no longer generated"
	case Rewrite, Conflict:
		return c.Note
	}
	return ""
}
