package render

import (
	"encoding/json"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// dashboard is the part of a classic dashboard that is drawn.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	Description   string `json:"description"`
	SchemaVersion int    `json:"schemaVersion"`
	Timezone      string `json:"timezone"`
	Time          struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []annotation `json:"list"`
	} `json:"annotations"`
	Panels []panel `json:"panels"`

	// Settings that have no effect on a picture.
	ID           json.RawMessage `json:"id"`
	Version      json.RawMessage `json:"version"`
	Tags         []string        `json:"tags"`
	Editable     bool            `json:"editable"`
	GraphTooltip int             `json:"graphTooltip"`
	Refresh      json.RawMessage `json:"refresh"`
	Links        json.RawMessage `json:"links"`
	WeekStart    string          `json:"weekStart"`
	Timepicker   json.RawMessage `json:"timepicker"`
	GnetID       json.RawMessage `json:"gnetId"`
	Inputs       json.RawMessage `json:"__inputs"`
	Elements     json.RawMessage `json:"__elements"`
	Requires     json.RawMessage `json:"__requires"`
	Revision     json.RawMessage `json:"revision"`
	Iteration    json.RawMessage `json:"iteration"`
	FiscalYear   json.RawMessage `json:"fiscalYearStartMonth"`
	Preload      json.RawMessage `json:"preload"`
	LiveNow      json.RawMessage `json:"liveNow"`
	Style        json.RawMessage `json:"style"`
	HideControls json.RawMessage `json:"hideControls"`

	problem string // what was not decoded
}

// variable is a template variable.
type variable struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Label      string          `json:"label"`
	Query      json.RawMessage `json:"query"` // text, or an object with a query
	Definition string          `json:"definition"`
	Regex      string          `json:"regex"`
	Sort       int             `json:"sort"`
	Multi      bool            `json:"multi"`
	IncludeAll bool            `json:"includeAll"`
	AllValue   string          `json:"allValue"`
	Hide       int             `json:"hide"`
	Current    struct {
		Text     json.RawMessage `json:"text"`
		Value    json.RawMessage `json:"value"` // text or list
		Selected bool            `json:"selected"`
		IsNone   bool            `json:"isNone"`
	} `json:"current"`
	Options    json.RawMessage `json:"options"`
	Datasource json.RawMessage `json:"datasource"`

	// Settings that have no effect on a picture.
	Refresh     int    `json:"refresh"`
	Description string `json:"description"`
	SkipURLSync bool   `json:"skipUrlSync"`

	UseTags        json.RawMessage `json:"useTags"` // of Grafana 8 and older
	Tags           json.RawMessage `json:"tags"`
	TagsQuery      json.RawMessage `json:"tagsQuery"`
	TagValuesQuery json.RawMessage `json:"tagValuesQuery"`
	QueryValue     json.RawMessage `json:"queryValue"`
}

// annotation is a query whose results are marked in all graphs.
type annotation struct {
	Name            string          `json:"name"`
	Enable          bool            `json:"enable"`
	Hide            bool            `json:"hide"`
	IconColor       string          `json:"iconColor"`
	Expr            string          `json:"expr"`
	Step            string          `json:"step"`
	TitleFormat     string          `json:"titleFormat"`
	TextFormat      string          `json:"textFormat"`
	TagKeys         string          `json:"tagKeys"`
	UseValueForTime json.RawMessage `json:"useValueForTime"`
	Type            string          `json:"type"`
	BuiltIn         int             `json:"builtIn"`
	Target          json.RawMessage `json:"target"`
	Datasource      json.RawMessage `json:"datasource"`
	Filter          json.RawMessage `json:"filter"`
}

// panel is a panel. A row is one, too; the panels of a collapsed row are inside it.
type panel struct {
	ID              int                      `json:"id"`
	Type            string                   `json:"type"`
	Title           string                   `json:"title"`
	Description     string                   `json:"description"`
	GridPos         gridPos                  `json:"gridPos"`
	Datasource      json.RawMessage          `json:"datasource"`
	Targets         []target                 `json:"targets"`
	FieldConfig     grafana.FieldConfig      `json:"fieldConfig"`
	Options         json.RawMessage          `json:"options"`
	Transformations []grafana.Transformation `json:"transformations"`
	Collapsed       bool                     `json:"collapsed"`
	Panels          []panel                  `json:"panels"`
	Interval        string                   `json:"interval"`
	MaxDataPoints   float64                  `json:"maxDataPoints"`
	TimeFrom        string                   `json:"timeFrom"`
	Transparent     bool                     `json:"transparent"`
	Repeat          string                   `json:"repeat"`          // a variable
	RepeatDirection string                   `json:"repeatDirection"` // h or v
	MaxPerRow       int                      `json:"maxPerRow"`
	LibraryPanel    json.RawMessage          `json:"libraryPanel"`

	PluginVersion string          `json:"pluginVersion"`
	Links         json.RawMessage `json:"links"` // have no effect on a picture
	CacheTimeout  json.RawMessage `json:"cacheTimeout"`
	Editable      json.RawMessage `json:"editable"`
	Error         json.RawMessage `json:"error"`
	IsNew         json.RawMessage `json:"isNew"`
	Span          json.RawMessage `json:"span"`
}

// gridPos is a place in the grid of 24 columns.
type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// target is a query of a panel.
type target struct {
	RefID          string          `json:"refId"`
	Datasource     json.RawMessage `json:"datasource"`
	Expr           string          `json:"expr"`
	Query          string          `json:"query"` // TraceQL
	LegendFormat   string          `json:"legendFormat"`
	Format         string          `json:"format"`
	Interval       string          `json:"interval"`
	IntervalFactor float64         `json:"intervalFactor"`
	Instant        bool            `json:"instant"`
	Range          bool            `json:"range"`
	Exemplar       bool            `json:"exemplar"`
	Hide           bool            `json:"hide"`
	QueryType      string          `json:"queryType"`
	MaxLines       int             `json:"maxLines"`
	Limit          int             `json:"limit"`
	LabelSelector  string          `json:"labelSelector"`
	ProfileTypeID  string          `json:"profileTypeId"`

	EditorMode string          `json:"editorMode"` // have no effect on a picture
	Step       json.RawMessage `json:"step"`
	Metric     json.RawMessage `json:"metric"`
	GroupBy    json.RawMessage `json:"groupBy"`
	SpanLimit  int             `json:"spss"`
	TableType  string          `json:"tableType"`
	Filters    json.RawMessage `json:"filters"`
}

type reduceOptions struct {
	Calcs  []grafana.Reducer `json:"calcs"`
	Fields string            `json:"fields"`
	Values bool              `json:"values"`
	Limit  int               `json:"limit"`
}

type legendOptions struct {
	DisplayMode string            `json:"displayMode"` // list, table or hidden
	Placement   string            `json:"placement"`   // bottom or right
	ShowLegend  *bool             `json:"showLegend"`
	Calcs       []grafana.Reducer `json:"calcs"`
	SortBy      string            `json:"sortBy"`
	SortDesc    bool              `json:"sortDesc"`
	Width       float64           `json:"width"`
}

type graphOptions struct {
	Legend      legendOptions   `json:"legend"`
	Tooltip     json.RawMessage `json:"tooltip"` // has no effect on a picture
	Timezone    json.RawMessage `json:"timezone"`
	Orientation string          `json:"orientation"`
}

type statOptions struct {
	ReduceOptions reduceOptions `json:"reduceOptions"`
	ColorMode     string        `json:"colorMode"` // none, value, background or background_solid
	GraphMode     string        `json:"graphMode"` // none or area
	JustifyMode   string        `json:"justifyMode"`
	Orientation   string        `json:"orientation"`
	TextMode      string        `json:"textMode"` // auto, value, value_and_name, name or none
	WideLayout    bool          `json:"wideLayout"`

	ShowPercentChange      bool            `json:"showPercentChange"`
	PercentChangeColorMode string          `json:"percentChangeColorMode"`
	Text                   json.RawMessage `json:"text"`
}

type barOptions struct {
	ReduceOptions reduceOptions   `json:"reduceOptions"`
	DisplayMode   string          `json:"displayMode"` // basic, gradient or lcd
	Orientation   string          `json:"orientation"`
	ShowUnfilled  bool            `json:"showUnfilled"`
	ValueMode     string          `json:"valueMode"` // color, text or hidden
	NamePlacement string          `json:"namePlacement"`
	MinVizHeight  float64         `json:"minVizHeight"`
	MaxVizHeight  float64         `json:"maxVizHeight"`
	MinVizWidth   float64         `json:"minVizWidth"`
	Sizing        string          `json:"sizing"`
	Legend        legendOptions   `json:"legend"`
	Text          json.RawMessage `json:"text"`
}

type gaugeOptions struct {
	ReduceOptions        reduceOptions   `json:"reduceOptions"`
	Orientation          string          `json:"orientation"`
	ShowThresholdLabels  bool            `json:"showThresholdLabels"`
	ShowThresholdMarkers bool            `json:"showThresholdMarkers"`
	MinVizHeight         float64         `json:"minVizHeight"`
	MinVizWidth          float64         `json:"minVizWidth"`
	Sizing               string          `json:"sizing"`
	Text                 json.RawMessage `json:"text"`
}

type tableOptions struct {
	ShowHeader *bool  `json:"showHeader"`
	CellHeight string `json:"cellHeight"` // sm, md or lg
	SortBy     []struct {
		DisplayName string `json:"displayName"`
		Desc        bool   `json:"desc"`
	} `json:"sortBy"`
	FrameIndex int             `json:"frameIndex"`
	Footer     json.RawMessage `json:"footer"`
}

type heatmapOptions struct {
	Calculate bool `json:"calculate"`
	Color     struct {
		Mode     string   `json:"mode"`
		Scheme   string   `json:"scheme"`
		Steps    int      `json:"steps"`
		Exponent float64  `json:"exponent"`
		Fill     string   `json:"fill"`
		Scale    string   `json:"scale"`
		Reverse  bool     `json:"reverse"`
		Min      *float64 `json:"min"`
		Max      *float64 `json:"max"`
	} `json:"color"`
	CellGap      *float64 `json:"cellGap"`
	FilterValues struct {
		LE *float64 `json:"le"`
		GE *float64 `json:"ge"`
	} `json:"filterValues"`
	Legend struct {
		Show bool `json:"show"`
	} `json:"legend"`
	YAxis struct {
		AxisPlacement string          `json:"axisPlacement"`
		Unit          string          `json:"unit"`
		Reverse       bool            `json:"reverse"`
		Decimals      json.RawMessage `json:"decimals"`
	} `json:"yAxis"`
	Exemplars struct {
		Color string `json:"color"`
	} `json:"exemplars"`

	RowsFrame   json.RawMessage `json:"rowsFrame"`   // the layout follows from the buckets
	Calculation json.RawMessage `json:"calculation"` // of calculate
	CellValues  json.RawMessage `json:"cellValues"`  // in tooltips
	ShowValue   string          `json:"showValue"`
	Tooltip     json.RawMessage `json:"tooltip"`
}

type timelineOptions struct {
	AlignValue  string          `json:"alignValue"`
	MergeValues bool            `json:"mergeValues"`
	RowHeight   float64         `json:"rowHeight"`
	ShowValue   string          `json:"showValue"`
	Legend      legendOptions   `json:"legend"`
	Tooltip     json.RawMessage `json:"tooltip"`
}

type logOptions struct {
	ShowTime       bool   `json:"showTime"`
	ShowLabels     bool   `json:"showLabels"`
	WrapLogMessage bool   `json:"wrapLogMessage"`
	SortOrder      string `json:"sortOrder"`

	ShowCommonLabels   bool            `json:"showCommonLabels"`
	PrettifyLogMessage bool            `json:"prettifyLogMessage"`
	EnableLogDetails   bool            `json:"enableLogDetails"`
	DedupStrategy      string          `json:"dedupStrategy"`
	DisplayedFields    json.RawMessage `json:"displayedFields"`
}

type textOptions struct {
	Mode    string          `json:"mode"` // markdown, html or code
	Content string          `json:"content"`
	Code    json.RawMessage `json:"code"`
}

type alertOptions struct {
	Datasource      string          `json:"datasource"`
	AlertName       string          `json:"alertName"`
	LabelFilter     string          `json:"alertInstanceLabelFilter"`
	MaxItems        int             `json:"maxItems"`
	SortOrder       int             `json:"sortOrder"`
	StateFilter     map[string]bool `json:"stateFilter"`
	ViewMode        string          `json:"viewMode"`
	GroupMode       string          `json:"groupMode"`
	GroupBy         []string        `json:"groupBy"`
	DashboardAlerts bool            `json:"dashboardAlerts"`
	Folder          json.RawMessage `json:"folder"`
}

// optionsOf returns a pointer to the options of a kind of panel; nil if it is drawn as a box.
func optionsOf(kind string) any {
	switch kind {
	case "timeseries":
		return &graphOptions{}
	case "stat":
		return &statOptions{}
	case "gauge":
		return &gaugeOptions{}
	case "bargauge":
		return &barOptions{}
	case "table":
		return &tableOptions{}
	case "heatmap":
		return &heatmapOptions{}
	case "state-timeline":
		return &timelineOptions{}
	case "logs":
		return &logOptions{}
	case "text":
		return &textOptions{}
	case "alertlist":
		return &alertOptions{}
	case "traces", "flamegraph", "row":
		return &struct{}{}
	}
	return nil
}
