package grafana

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Transformation changes frames before they are drawn.
type Transformation struct {
	ID       string          `json:"id"`
	Disabled bool            `json:"disabled"`
	Options  json.RawMessage `json:"options"`
}

// organizeOptions are those of the transformations that hide, order and rename columns.
type organizeOptions struct {
	ExcludeByName map[string]bool    `json:"excludeByName"`
	IncludeByName map[string]bool    `json:"includeByName"`
	IndexByName   map[string]float64 `json:"indexByName"`
	RenameByName  map[string]string  `json:"renameByName"`
	OrderByMode   string             `json:"orderByMode"`
	OrderBy       json.RawMessage    `json:"orderBy"`
}

// TransformationOptions returns a pointer to the options of a transformation, to decode them; nil for
// one that is not applied.
func TransformationOptions(id string) any {
	switch id {
	case "merge":
		return &struct{}{}
	case "organize":
		return &organizeOptions{}
	case "sortBy":
		return &sortOptions{}
	}
	return nil
}

type sortOptions struct {
	Fields map[string]json.RawMessage `json:"fields"`
	Sort   []struct {
		Field string `json:"field"`
		Desc  bool   `json:"desc"`
	} `json:"sort"`
}

// Transform applies transformations in order. One that is not known is left out, and one whose options are not
// valid is left out and reported.
func Transform(frames []*Frame, list []Transformation) ([]*Frame, error) {
	var problem error
	for _, t := range list {
		options := TransformationOptions(t.ID)
		switch {
		case t.Disabled, options == nil:
			continue
		}
		if err := json.Unmarshal(t.Options, options); err != nil && len(t.Options) > 0 {
			problem = fmt.Errorf("transformation %s: %w", t.ID, err)
			if wrong := WrongType("options", err); wrong != "" {
				problem = fmt.Errorf("transformation %s: %s; set it again in Grafana", t.ID, wrong)
			}
			continue
		}
		switch o := options.(type) {
		case *organizeOptions:
			frames = organize(frames, *o)
		case *sortOptions:
			frames = sortRows(frames, *o)
		default:
			frames = merge(frames)
		}
	}
	return frames, problem
}

// maxColumns is the number of columns of a merged table: far more than a panel has room for.
const maxColumns = 200

// merge joins frames by the columns that all of them have.
func merge(frames []*Frame) []*Frame {
	if len(frames) <= 1 {
		return frames
	}
	data := slices.DeleteFunc(slices.Clone(frames), func(f *Frame) bool { return len(f.Fields) == 0 })
	if len(data) == 0 {
		return frames[:1]
	}
	out := &Frame{}
	for _, frame := range data {
		for _, f := range frame.Fields {
			if len(out.Fields) < maxColumns && column(out, f.Name) == nil {
				out.Fields = append(out.Fields, &Field{Name: f.Name, Type: f.Type})
			}
		}
	}
	keys := slices.DeleteFunc(slices.Clone(out.Fields), func(f *Field) bool {
		return slices.ContainsFunc(data, func(frame *Frame) bool { return column(frame, f.Name) == nil })
	})
	if len(keys) == 0 {
		return frames
	}
	for _, r := range joined(data, out, keys) {
		for i, f := range out.Fields {
			c := r[i]
			f.Values, f.Strings = append(f.Values, c.number), append(f.Strings, c.text)
		}
	}
	return []*Frame{out}
}

// cell is a value of a row that is being merged.
type cell struct {
	number float64
	text   string
	set    bool
}

// joined returns the merged rows in the order in which they come.
func joined(data []*Frame, out *Frame, keys []*Field) [][]cell {
	var order [][]cell
	byKey := map[string][][]cell{}
	for _, frame := range data {
		for i := range frame.Len() {
			r := make([]cell, len(out.Fields))
			var key strings.Builder
			for j, f := range out.Fields {
				if from := column(frame, f.Name); from != nil {
					r[j] = from.cell(i)
				} else {
					r[j].number = math.NaN()
				}
				if slices.Contains(keys, f) {
					key.WriteString(r[j].text)
				}
			}
			if same := byKey[key.String()]; !addTo(same, r) {
				byKey[key.String()] = append(same, r)
				order = append(order, r)
			}
		}
	}
	return order
}

// addTo adds the cells of a row to each row that has no other values; it reports whether there is one.
func addTo(rows [][]cell, r []cell) bool {
	added := false
	for _, existing := range rows {
		fits := true
		for i, c := range r {
			fits = fits && (!c.set || !existing[i].set || existing[i].text == c.text)
		}
		if !fits {
			continue
		}
		for i, c := range r {
			if c.set {
				existing[i] = c
			}
		}
		added = true
	}
	return added
}

func (f *Field) cell(i int) cell {
	if f.Type == String {
		return cell{math.NaN(), f.Strings[i], true}
	}
	return cell{f.Values[i], jsString(f.Values[i]), true}
}

func column(frame *Frame, name string) *Field {
	if i := slices.IndexFunc(frame.Fields, func(f *Field) bool { return f.Name == name }); i >= 0 {
		return frame.Fields[i]
	}
	return nil
}

// organize hides, orders and renames columns by their names.
func organize(frames []*Frame, o organizeOptions) []*Frame {
	out := make([]*Frame, 0, len(frames))
	for _, frame := range frames {
		changed := *frame
		changed.Fields = slices.DeleteFunc(slices.Clone(frame.Fields), func(f *Field) bool {
			name := f.displayName(frame, frames)
			included := len(o.IncludeByName) == 0 || o.IncludeByName[name] || o.IncludeByName[f.Name]
			return o.ExcludeByName[name] || o.ExcludeByName[f.Name] || !included
		})
		index := func(f *Field) float64 {
			if i, ok := o.IndexByName[f.displayName(frame, frames)]; ok {
				return i
			}
			return math.MaxInt32
		}
		slices.SortStableFunc(changed.Fields, func(a, b *Field) int { return int(index(a) - index(b)) })
		for i, f := range changed.Fields {
			if name := o.RenameByName[f.displayName(frame, nil)]; name != "" {
				renamed := *f
				renamed.Config.DisplayName, renamed.Display = name, name
				changed.Fields[i] = &renamed
			}
		}
		out = append(out, &changed)
	}
	return out
}

// sortRows sorts the rows of each frame by its first sort field.
func sortRows(frames []*Frame, o sortOptions) []*Frame {
	if len(o.Sort) == 0 {
		return frames
	}
	by := o.Sort[0]
	out := make([]*Frame, 0, len(frames))
	for _, frame := range frames {
		key := slices.IndexFunc(frame.Fields, func(f *Field) bool { return f.Name == by.Field || f.displayName(frame, frames) == by.Field })
		if key < 0 {
			out = append(out, frame)
			continue
		}
		out = append(out, frame.sorted(frame.Fields[key], by.Desc))
	}
	return out
}

func (f *Frame) sorted(key *Field, descending bool) *Frame {
	order := make([]int, f.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		c := key.compare(a, b)
		if descending {
			return -c
		}
		return c
	})
	out := &Frame{Name: f.Name, RefID: f.RefID}
	for _, field := range f.Fields {
		moved := *field
		moved.Values, moved.Strings = nil, nil
		for _, i := range order {
			if field.Type == String {
				moved.Strings = append(moved.Strings, field.Strings[i])
			} else {
				moved.Values = append(moved.Values, field.Values[i])
			}
		}
		out.Fields = append(out.Fields, &moved)
	}
	return out
}

func (f *Field) compare(a, b int) int {
	if f.Type == String {
		return strings.Compare(f.Strings[a], f.Strings[b])
	}
	switch {
	case f.Values[a] < f.Values[b]:
		return -1
	case f.Values[a] > f.Values[b]:
		return 1
	}
	return 0
}
