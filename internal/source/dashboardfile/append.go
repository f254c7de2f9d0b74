package dashboardfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errForm is the error of JSON that [Append] cannot extend. Grafana exports none like this.
var errForm = errors.New("the list panels has an unusual form; export the dashboard again")

// Append returns a dashboard with another panel below the others, with a free id. It keeps all other bytes, and writes the
// panel in the format of the others. The panel is a JSON object with the keys id and gridPos.
func Append(name string, src, panel []byte) ([]byte, error) {
	if _, err := Parse(name, src); err != nil {
		return nil, err
	}
	bom := len(src) - len(bytes.TrimPrefix(src, []byte("\ufeff")))
	list, err := listOfPanels(src[bom:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	placed, err := list.place(panel)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := slices.Concat(src[:bom], list.insert(placed))
	if err := onlyAdds(src[bom:], out[bom:], placed); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// panelList is the list of panels in the text of a dashboard.
type panelList struct {
	src        []byte
	key        int // offset of its key
	begin, end int // offsets after [ and of ]
	last       int // offset of the last panel; 0 without one
	lastEnd    int
	panels     []placement
}

// placement is what a new panel depends on.
type placement struct {
	ID      float64 `json:"id"`
	GridPos struct {
		H float64 `json:"h"`
		Y float64 `json:"y"`
	} `json:"gridPos"`
	Panels []placement `json:"panels"` // of a collapsed row
}

func listOfPanels(src []byte) (panelList, error) {
	l := panelList{src: src}
	dec := json.NewDecoder(bytes.NewReader(src))
	if _, err := dec.Token(); err != nil {
		return l, err
	}
	for dec.More() {
		at := l.next(int(dec.InputOffset()))
		key, err := dec.Token()
		if err != nil {
			return l, err
		}
		if key != "panels" {
			if err := dec.Decode(new(json.RawMessage)); err != nil {
				return l, err
			}
			continue
		}
		if token, err := dec.Token(); err != nil || token != json.Delim('[') || l.begin > 0 {
			return l, errForm // no list, or a second one
		}
		l.key, l.begin = at, int(dec.InputOffset())
		for dec.More() {
			var p placement
			l.last = l.next(int(dec.InputOffset()))
			if err := dec.Decode(&p); err != nil {
				return l, errForm
			}
			l.panels, l.lastEnd = append(l.panels, p), int(dec.InputOffset())
		}
		if _, err := dec.Token(); err != nil {
			return l, err
		}
		l.end = int(dec.InputOffset()) - 1
	}
	if l.begin == 0 {
		return l, errors.New("the dashboard has no list panels; export it again with a newer Grafana")
	}
	return l, nil
}

// next returns the offset of the next token.
func (l panelList) next(at int) int {
	for at < len(l.src) && strings.IndexByte(" \t\r\n,", l.src[at]) >= 0 {
		at++
	}
	return at
}

// place sets the id and the position.
func (l panelList) place(panel []byte) ([]byte, error) {
	id, y := 0.0, 0.0
	var largest func(list []placement)
	largest = func(list []placement) {
		for _, p := range list {
			id = max(id, p.ID)
			largest(p.Panels)
		}
	}
	largest(l.panels)
	for _, p := range l.panels {
		y = max(y, p.GridPos.Y+p.GridPos.H)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, panel); err != nil {
		return nil, err
	}
	var old placement
	if err := json.Unmarshal(panel, &old); err != nil {
		return nil, err
	}
	// Text in strings has a backslash before the quotation mark.
	text := strings.Replace(out.String(), fmt.Sprintf(`"id":%g,`, old.ID), fmt.Sprintf(`"id":%.0f,`, id+1), 1)
	text = strings.Replace(text, fmt.Sprintf(`"y":%g`, old.GridPos.Y), fmt.Sprintf(`"y":%.0f`, y), 1)
	var now placement
	if err := json.Unmarshal([]byte(text), &now); err != nil || now.ID != id+1 || now.GridPos.Y != y {
		return nil, errForm
	}
	return []byte(text), nil
}

// insert writes the panel after the last one.
func (l panelList) insert(panel []byte) []byte {
	outer, ownLine := l.indent(l.key)
	if !ownLine { // the dashboard is one line, or in another style
		separator := ""
		if l.last > 0 {
			separator = ","
		}
		at := max(l.begin, l.lastEnd)
		return slices.Concat(l.src[:at], []byte(separator), panel, l.src[at:])
	}
	at, from, separator := l.begin, l.end, "\n"+outer+outer
	indent, end := outer+outer, "\n"+outer
	if l.last > 0 {
		var alone bool
		indent, alone = l.indent(l.last)
		at, from, separator, end = l.lastEnd, l.lastEnd, ", ", ""
		if alone {
			separator = ",\n" + indent
		}
	}
	var text bytes.Buffer
	_ = json.Indent(&text, panel, indent, outer) // onlyAdds reports errors
	added := separator + text.String() + end
	if bytes.Contains(l.src, []byte("\r\n")) {
		added = strings.ReplaceAll(added, "\n", "\r\n")
	}
	return slices.Concat(l.src[:at], []byte(added), l.src[from:])
}

// indent returns the white space at the start of the line of an offset, and whether there is nothing else before it.
func (l panelList) indent(offset int) (indent string, alone bool) {
	line := string(l.src[bytes.LastIndexByte(l.src[:offset], '\n')+1 : offset])
	trimmed := strings.TrimLeft(line, " \t")
	return line[:len(line)-len(trimmed)], trimmed == "" && line != ""
}

// onlyAdds checks that the new dashboard is the old one and the panel.
func onlyAdds(before, after, panel []byte) error {
	var was, is map[string]json.RawMessage
	var old, all []json.RawMessage
	for _, err := range []error{json.Unmarshal(before, &was), json.Unmarshal(after, &is), json.Unmarshal(was["panels"], &old), json.Unmarshal(is["panels"], &all)} {
		if err != nil {
			return errForm
		}
	}
	if len(all) != len(old)+1 || len(was) != len(is) {
		return errForm
	}
	for i, p := range append(old, panel) {
		if !sameJSON(p, all[i]) {
			return errForm
		}
	}
	for key, value := range was {
		if key != "panels" && !sameJSON(value, is[key]) {
			return errForm
		}
	}
	return nil
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
