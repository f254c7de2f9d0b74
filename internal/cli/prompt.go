package cli

import (
	"context"
	"errors"

	"charm.land/huh/v2"
)

// errAborted reports that the user stopped at a prompt.
var errAborted = errors.New("stopped; nothing was written")

// Question is one prompt. The answer is in Value, in Values if there are Choices, or in
// Confirm; the initial value is the proposal.
type Question struct {
	Flag    string // flag that sets the value without a prompt
	Title   string
	Help    string
	Value   *string
	Check   func(string) error
	Choices []string
	Values  *[]string
	Confirm *bool
}

// ask shows the questions as one form. If accessible, it uses plain lines, for screen readers.
// An empty answer accepts the proposal.
func ask(ctx context.Context, s Streams, questions []Question, accessible bool) error {
	fields := make([]huh.Field, 0, len(questions))
	for _, q := range questions {
		fields = append(fields, q.field(accessible))
	}
	proposals := make([]string, len(questions))
	for i, q := range questions {
		proposals[i] = q.proposal()
	}
	form := huh.NewForm(huh.NewGroup(fields...)).WithInput(s.In).WithOutput(s.Out).WithAccessible(accessible)
	err := form.RunWithContext(ctx)
	if errors.Is(err, huh.ErrUserAborted) || errors.Is(err, context.Canceled) {
		return errAborted
	}
	for i, q := range questions {
		if q.Value != nil && *q.Value == "" {
			*q.Value = proposals[i]
		}
	}
	return err
}

func (q Question) field(accessible bool) huh.Field {
	help := q.Help + " (--" + q.Flag + ")"
	if q.Flag == "name" {
		help = q.Help + " (NAME)" // set by an argument
	}
	if q.Choices != nil {
		// Without a height, huh (v2.0.3) subtracts the lines of title and help from the choices
		// and shows none.
		lines := 2 + len(q.Choices)
		return huh.NewMultiSelect[string]().Title(q.Title).Description(help).
			Options(huh.NewOptions(q.Choices...)...).Value(q.Values).Height(lines)
	}
	if q.Confirm != nil {
		return huh.NewConfirm().Title(q.Title).Description(help).Value(q.Confirm)
	}
	title, proposal := q.Title, q.proposal()
	if accessible && proposal != "" {
		title += " [" + proposal + "]" // a plain line cannot show text to edit
	}
	return huh.NewInput().Title(title).Description(help).Value(q.Value).Validate(func(answer string) error {
		if answer == "" && proposal != "" {
			return nil
		}
		return q.Check(answer)
	})
}

func (q Question) proposal() string {
	if q.Value == nil {
		return ""
	}
	return *q.Value
}
