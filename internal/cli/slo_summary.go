package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/observability-first/scaffold/slo"
)

// compiledRules is the JSON document of scaffold slo. Its keys are public.
type compiledRules struct {
	Service    string              `json:"service"`
	Format     string              `json:"format"`
	Directory  string              `json:"directory,omitempty"` // directory of the written files; absent if the document contains them
	Files      []compiledFile      `json:"files"`
	Groups     []compiledGroup     `json:"groups"`
	Objectives []compiledObjective `json:"objectives"`
	Alerts     []compiledAlert     `json:"alerts"`
	Predicted  []predictedAlert    `json:"predictedAlerts"`    // for each alert and error ratio
	Warnings   []string            `json:"warnings,omitempty"` // selected label values that no metric has
	Notes      []string            `json:"notes"`              // what the rules lack, and why
	Changed    []string            `json:"changed"`            // how the rules differ from an imported file
	Dropped    []string            `json:"dropped"`            // parts of the imported file that the rules lack
}

type compiledFile struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	Data  string `json:"data,omitempty"`
}

type compiledGroup struct {
	Name            string  `json:"name"`
	Tier            string  `json:"tier"`
	IntervalSeconds float64 `json:"intervalSeconds"`
	DelaySeconds    float64 `json:"delaySeconds"` // maximum delay of an alert from scrape and evaluation intervals
	Recordings      int     `json:"recordings"`
	Alerts          int     `json:"alerts"`
}

type compiledObjective struct {
	Name      string `json:"name"`
	Objective string `json:"objective"` // percent, as an exact decimal
	Window    string `json:"window"`
	// MinEventsPerHour is the traffic below which a total outage does not page within ten
	// minutes. It is absent if the objective never pages that fast.
	MinEventsPerHour float64 `json:"minEventsPerHour,omitempty"`
}

type compiledAlert struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Tier string `json:"tier"`
	SLO  string `json:"slo,omitempty"` // absent for alerts on the whole service
	// Long and Short are the windows of a burn rate alert; absent for other alerts.
	Long  string `json:"long,omitempty"`
	Short string `json:"short,omitempty"`
}

// predictedAlert is when an alert fires and resolves at a constant error ratio. The seconds are
// absent if it does not fire.
type predictedAlert struct {
	Alert                string  `json:"alert"`
	SLO                  string  `json:"slo"`
	Long                 string  `json:"long"`       // long window; distinguishes alerts with the same name
	ErrorRatio           float64 `json:"errorRatio"` // 0 to 1
	Fires                bool    `json:"fires"`
	FiresAfterSeconds    float64 `json:"firesAfterSeconds,omitempty"`
	ResolvesAfterSeconds float64 `json:"resolvesAfterSeconds,omitempty"`
}

func describeRules(r slo.Rules, o sloOptions, files []slo.File) compiledRules {
	doc := compiledRules{
		Service: r.Spec.Service, Format: o.format, Directory: o.dir,
		Files: []compiledFile{}, Groups: []compiledGroup{}, Objectives: []compiledObjective{},
		Alerts: []compiledAlert{}, Predicted: []predictedAlert{},
		Notes: append([]string{}, r.Notes...), Changed: []string{}, Dropped: []string{},
	}
	for _, f := range files {
		doc.Files = append(doc.Files, compiledFile{Name: f.Name, Bytes: len(f.Data)})
	}
	for _, g := range r.Groups {
		doc.Groups = append(doc.Groups, describeGroup(r, g))
	}
	for _, s := range r.Spec.SLOs {
		objective := compiledObjective{Name: s.Name, Objective: s.Target.String(), Window: string(s.Window)}
		objective.MinEventsPerHour, _ = r.MinTraffic(s.Name)
		doc.Objectives = append(doc.Objectives, objective)
	}
	for _, a := range r.Alerts {
		alert := compiledAlert{Name: a.Name, Kind: string(a.Kind), Tier: string(a.Tier)}
		if a.Burn != nil {
			alert.Long, alert.Short = a.Burn.LongWindow(), a.Burn.ShortWindow()
		}
		if a.SLO >= 0 {
			alert.SLO = r.Spec.SLOs[a.SLO].Name
		}
		doc.Alerts = append(doc.Alerts, alert)
	}
	for _, d := range r.Detections(slo.DetectionRatios()...) {
		doc.Predicted = append(doc.Predicted, predictedAlert{
			Alert: d.Alert.Name, SLO: d.SLO, Long: d.Pair.LongWindow(), ErrorRatio: d.ErrorRatio, Fires: d.Fires,
			FiresAfterSeconds: d.FiresAfter.Seconds(), ResolvesAfterSeconds: d.ResolvesAfter.Seconds(),
		})
	}
	return doc
}

// imported returns the document with the changed and dropped parts of an import. It removes
// notes about links, which files of other tools cannot have.
func (d compiledRules) imported(in objectives) compiledRules {
	if in.foreign {
		d.Notes = slices.DeleteFunc(d.Notes, func(note string) bool { return strings.HasPrefix(note, "links.") })
	}
	d.Warnings = in.warnings
	d.Changed = append(d.Changed, in.Changed...)
	d.Dropped = append(d.Dropped, in.Dropped...)
	return d
}

func describeGroup(r slo.Rules, g slo.Group) compiledGroup {
	d := compiledGroup{
		Name: g.Name, Tier: string(g.Tier),
		IntervalSeconds: g.Interval.Seconds(), DelaySeconds: r.Delay(g.Tier).Seconds(),
	}
	for _, rule := range g.Rules {
		if rule.Alert != "" {
			d.Alerts++
		} else {
			d.Recordings++
		}
	}
	return d
}

// withData returns the document with the contents of the files, unless they were written to a
// directory.
func (d compiledRules) withData(files []slo.File) compiledRules {
	if d.Directory == "" {
		for i, f := range files {
			d.Files[i].Data = string(f.Data)
		}
	}
	return d
}

// summarize describes the rules for people. The caller must not write it to the stream of the
// rules.
func (d compiledRules) summarize(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", d.Service, plural(len(d.Objectives), "objective"))
	if d.Format != formatOpenSLO {
		recordings, alerts := 0, 0
		for _, g := range d.Groups {
			recordings, alerts = recordings+g.Recordings, alerts+g.Alerts
		}
		fmt.Fprintf(&b, ", %s, %s", plural(recordings, "recording"), plural(alerts, "alert"))
	}
	if d.Directory != "" {
		fmt.Fprintf(&b, "; %s in %s", plural(len(d.Files), "file"), directory(d.Directory))
	}
	b.WriteByte('\n')
	if d.Format != formatOpenSLO {
		if err := d.predictionTable(&b); err != nil {
			return err
		}
		for _, o := range d.Objectives {
			if o.MinEventsPerHour > 0 {
				fmt.Fprintf(&b, "%s: below %s events an hour a total outage does not page within 10 minutes\n", o.Name, number(o.MinEventsPerHour))
			}
		}
		for _, note := range d.Notes {
			fmt.Fprintf(&b, "note: %s\n", note)
		}
	}
	for _, warning := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	for _, changed := range d.Changed {
		fmt.Fprintf(&b, "changed: %s\n", changed)
	}
	for _, dropped := range d.Dropped {
		fmt.Fprintf(&b, "dropped: %s\n", dropped)
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// predictionTable writes a line for each alert and a column for each error ratio.
func (d compiledRules) predictionTable(w io.Writer) error {
	var ratios []float64
	times := map[string][]string{}
	var names []string
	for _, x := range d.Predicted {
		if !slices.Contains(ratios, x.ErrorRatio) {
			ratios = append(ratios, x.ErrorRatio)
		}
		name := x.Alert + " " + x.Long
		if times[name] == nil {
			names = append(names, name)
		}
		cell := "-"
		if x.Fires {
			cell = number(x.FiresAfterSeconds / time.Minute.Seconds())
		}
		times[name] = append(times[name], cell)
	}
	if len(names) == 0 {
		return nil
	}
	const title = "minutes until it fires, by error ratio"
	width := len(title)
	for _, name := range names {
		width = max(width, len(name))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	var errs []error
	row := func(first string, cells []string) {
		_, err := fmt.Fprintf(t, "%-*s\t%s\t\n", width, first, strings.Join(cells, "\t"))
		errs = append(errs, err)
	}
	var head []string
	for _, s := range ratios {
		head = append(head, number(100*s)+" %")
	}
	row(title, head)
	for _, name := range names {
		row(name, times[name])
	}
	errs = append(errs, t.Flush())
	for _, g := range d.Groups {
		if g.Tier == string(slo.TierInstances) {
			continue // predictions are for burn rate alerts
		}
		_, err := fmt.Fprintf(w, "%s alerts fire up to %s min later, because of scrape and evaluation intervals\n", g.Tier, number(g.DelaySeconds/time.Minute.Seconds()))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// number formats f with at most one decimal, rounded.
func number(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}
