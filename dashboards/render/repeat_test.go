package render

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// repeated draws panels with the variables v (a, b, c) and w (x, y), and returns the title and the grid place of each
// in columns of 24, rows, and width.
func repeated(t *testing.T, panels string) (places, queries []string) {
	t.Helper()
	src := `{"templating":{"list":[
		{"name":"v","type":"custom","query":"a,b,c","multi":true,"current":{"value":["a","b","c"]}},
		{"name":"w","type":"custom","query":"x,y","includeAll":true,"allValue":".*","current":{"value":"$__all"}}]},"panels":[` + panels + `]}`
	var mutex sync.Mutex
	source := func(_ context.Context, q Query) (Result, error) {
		mutex.Lock()
		defer mutex.Unlock()
		queries = append(queries, q.Expr)
		return Result{}, nil
	}
	p, err := Dashboard(t.Context(), "x.json", []byte(src), source, Options{Now: end(), Width: 24*40 + 24})
	if err != nil || len(p.Problems) > 0 {
		t.Fatalf("%v, %q", err, p.Problems)
	}
	for _, d := range p.panels {
		places = append(places, fmt.Sprintf("%s %g,%g %gx%g", d.renderer.rowTitle(d.panel), (d.box.x-margin)/40, (d.box.y-margin)/38, (d.box.w+gap)/40, (d.box.h+gap)/38))
	}
	slices.Sort(queries)
	return places, queries
}

func TestRepeatedPanels(t *testing.T) {
	t.Parallel()
	stat := func(title, place, more string) string {
		var x, y, w, h int
		if _, err := fmt.Sscan(place, &x, &y, &w, &h); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"type":"stat","title":%q,"gridPos":{"x":%d,"y":%d,"w":%d,"h":%d},"targets":[{"refId":"A","expr":"up{v=~\"$v\"}","instant":true}]%s}`, title, x, y, w, h, more)
	}
	row := func(title string, y int, more string) string {
		return fmt.Sprintf(`{"type":"row","title":%q,"gridPos":{"x":0,"y":%d,"w":24,"h":1}%s}`, title, y, more)
	}
	below := stat("Below", "0 4 12 2", "")
	for name, tc := range map[string]struct{ panels, want string }{
		"horizontal":   {stat("P $v", "0 0 12 4", `,"repeat":"v","repeatDirection":"h"`) + "," + below, "P a 0,0 8x4|P b 8,0 8x4|P c 16,0 8x4|Below 0,4 12x2"},
		"two in a row": {stat("P $v", "0 0 12 4", `,"repeat":"v","maxPerRow":2`) + "," + below, "P a 0,0 12x4|P b 12,0 12x4|P c 0,4 12x4|Below 0,8 12x2"},
		"vertical": {stat("P $v", "0 0 12 4", `,"repeat":"v","repeatDirection":"v"`) + "," + stat("Beside", "12 4 12 2", "") + "," + below,
			"P a 0,0 12x4|P b 0,4 12x4|P c 0,8 12x4|Beside 12,4 12x2|Below 0,12 12x2"},
		"all values, not their expression": {stat("P $w", "0 0 6 4", `,"repeat":"w"`), "P x 0,0 12x4|P y 12,0 12x4"},
		"no such variable":                 {stat("P", "0 0 6 4", `,"repeat":"none"`), "P 0,0 6x4"},
		"rows": {row("R $w", 0, `,"repeat":"w"`) + "," + stat("P $w", "0 1 6 3", "") + "," + row("Next", 4, ""),
			"R x 0,0 24x1|P x 0,1 6x3|R y 0,4 24x1|P y 0,5 6x3|Next 0,8 24x1"},
		"panels in rows": {row("R $w", 0, `,"repeat":"w"`) + "," + stat("P $w $v", "0 1 6 3", `,"repeat":"v","maxPerRow":1`) + "," + row("Next", 4, ""),
			"R x 0,0 24x1|P x a 0,1 24x3|P x b 0,4 24x3|P x c 0,7 24x3|R y 0,10 24x1|P y a 0,11 24x3|P y b 0,14 24x3|P y c 0,17 24x3|Next 0,20 24x1"},
		"collapsed rows": {row("R $w", 0, `,"repeat":"w","collapsed":true,"panels":[`+below+`]`), "R x (1 panel) 0,0 24x1|R y (1 panel) 0,1 24x1"},
	} {
		if got, _ := repeated(t, tc.panels); strings.Join(got, "|") != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "|"), tc.want)
		}
	}
	_, queries := repeated(t, stat("P", "0 0 12 4", `,"repeat":"v"`))
	if want := []string{`up{v=~"a"}`, `up{v=~"b"}`, `up{v=~"c"}`}; !slices.Equal(queries, want) {
		t.Errorf("queries %q, want %q", queries, want)
	}
}

func TestCopiesOfPanelsAreLimited(t *testing.T) {
	t.Parallel()
	var panels []string
	for range 40 {
		panels = append(panels, `{"type":"row","repeat":"v","gridPos":{"y":99999999}},{"type":"text","title":"P","repeat":"v"},{"type":"text","repeat":"v"}`)
	}
	src := `{"templating":{"list":[{"name":"v","type":"custom","multi":true,"query":"` + strings.Repeat("a,", 2000) + `","current":{"value":[` + strings.Repeat(`"a",`, 2000) + `"a"]}}]},"panels":[` + strings.Join(panels, ",") + `]}`
	p, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{}), Options{Now: end()})
	if err != nil || len(p.panels) != maxPanels || !slices.Equal(p.Problems, []string{"the dashboard has more than 500 panels; the first 500 are drawn"}) {
		t.Errorf("%v, %d panels, %q", err, len(p.panels), p.Problems)
	}
}
