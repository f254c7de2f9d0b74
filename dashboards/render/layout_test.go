package render

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// A collapsed row has the number of its panels in its title, and their queries are not sent.
func TestCollapsedRowHidesItsPanels(t *testing.T) {
	t.Parallel()
	one := panelJSON("stat", "")
	for _, tc := range []struct {
		collapsed bool
		panels    string
		title     string
	}{
		{true, one, ">Details (1 panel)<"},
		{true, one + "," + one, ">Details (2 panels)<"},
		{false, "", ">Details<"},
	} {
		row := fmt.Sprintf(`{"type":"row","title":"Details","collapsed":%t,"gridPos":{"w":24,"h":1},"panels":[%s]}`, tc.collapsed, tc.panels)
		queries := 0
		p, _ := drawOne(t, row, func(context.Context, Query) (Result, error) {
			queries++
			return Result{}, nil
		})
		var svg bytes.Buffer
		if err := p.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(svg.String(), tc.title) || queries > 0 || len(p.panels) != 1 {
			t.Errorf("want %s and no queries; got %d queries, %d panels\n%s", tc.title, queries, len(p.panels), svg.String())
		}
	}
}
