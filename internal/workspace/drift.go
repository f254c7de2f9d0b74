package workspace

// Drift is a file that differs from what scaffold generate would write. The JSON keys are public.
type Drift struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	// Discards reports that scaffold generate would discard an edit.
	Discards bool `json:"-"`
}

// Drift returns the files that applying the plan would change, without open files. User-owned files with edits do not drift.
func (p Plan) Drift() []Drift {
	var drift []Drift
	for _, c := range p.Changes {
		if reason := c.drift(); reason != "" {
			drift = append(drift, Drift{Path: c.Path, Reason: reason, Discards: c.Action == Rewrite})
		}
	}
	return drift
}

func (c Change) drift() string {
	switch c.Action {
	case Create:
		return "missing"
	case Unmerged:
		if c.Note == stillOpen {
			return ""
		}
		return "out of date"
	case Update, Merge, Move:
		return "out of date"
	case Remove:
		return "no longer generated"
	case Rewrite, Conflict:
		return c.Note
	}
	return ""
}
