package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// askOther runs a query of a store other than Prometheus on what the service sent, as far as possible.
func (s *session) askOther(expr string, q question) (report.Status, string) {
	switch q.target.Datasource.Type {
	case "loki":
		return s.judgeOther(s.askLogs(expr))(q)
	case "grafana-pyroscope-datasource", "phlare":
		return s.judgeOther(s.askProfiles(expr, q.target.ProfileType))(q)
	case "tempo":
		return s.askTraces(expr, q)
	}
	return report.Skipped, "verify does not run queries of " + q.target.Datasource.Type
}

// judgeOther converts a result to a status.
func (s *session) judgeOther(evidence string, found bool, err error) func(question) (report.Status, string) {
	return func(q question) (report.Status, string) {
		switch {
		case err != nil:
			return report.Failed, err.Error()
		case found:
			return report.Passed, evidence
		case q.emptyUntil != "":
			return report.Passed, noData + q.emptyUntil
		}
		return report.Failed, "no data: " + evidence
	}
}

// askProfiles looks for an upload with the labels and the profile type of a flame graph.
func (s *session) askProfiles(selector, kind string) (evidence string, found bool, err error) {
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		return "", false, fmt.Errorf("selector of profiles: %w", err)
	}
	parts := strings.Split(kind, ":") // name:sample type:unit:period type:period unit
	if len(parts) < 3 {
		return "", false, fmt.Errorf("profile type %q: write it as memory:inuse_space:bytes:space:bytes", kind)
	}
	var kinds []string
	for _, upload := range s.profiles() {
		if !matchesAll(ms, upload.labels) {
			return "", false, fmt.Errorf("profiles have the labels %v, which %s does not match", upload.labels, selector)
		}
		for _, t := range upload.data.SampleType {
			if t.Type == parts[1] && t.Unit == parts[2] {
				return "uploads of " + t.Type, true, nil
			}
			if !slices.Contains(kinds, t.Type) {
				kinds = append(kinds, t.Type)
			}
		}
	}
	if len(kinds) == 0 {
		return "the service pushed no profile", false, nil
	}
	return "", false, fmt.Errorf("no profile has %s in %s; available: %s", parts[1], parts[2], strings.Join(kinds, ", "))
}

func matchesAll(ms []*labels.Matcher, of map[string]string) bool {
	return !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(of[m.Name]) })
}

// upload is one profile with the labels that the store finds it by.
type upload struct {
	labels map[string]string
	data   *profile.Profile
}

// profiles returns the uploads that contain a profile.
func (s *session) profiles() []upload {
	all := s.receiver.Profiles()
	for ; s.parsed < len(all); s.parsed++ {
		p := all[s.parsed]
		if u, ok := readUpload(p); ok {
			s.uploads = append(s.uploads, u)
		}
	}
	return s.uploads
}

func readUpload(p servicetest.Profile) (upload, bool) {
	data, err := profile.Parse(bytes.NewReader(p.Data))
	if err != nil {
		return upload{}, false
	}
	name, tags, _ := strings.Cut(strings.TrimSuffix(p.Name, "}"), "{")
	u := upload{map[string]string{semconv.LabelServiceName: name}, data}
	for pair := range strings.SplitSeq(tags, ",") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			u.labels[strings.TrimSpace(key)] = strings.Trim(value, `"`)
		}
	}
	return u, true
}

// askLogs runs a query on the service's log lines.
func (s *session) askLogs(query string) (evidence string, found bool, err error) {
	lines, err := s.logLines(query, Environment)
	if err != nil {
		return "", false, err
	}
	return fmt.Sprintf("%d log lines", len(lines)), len(lines) > 0, nil
}

// logLines runs the pipeline of a query on the service's log lines in an environment. It supports the stages that log
// dashboards use; any other stage is an error.
func (s *session) logLines(query, environment string) ([]line, error) {
	end := strings.IndexByte(query, '}')
	if end < 0 {
		return nil, fmt.Errorf("%s: a query of logs starts with {label=\"value\"}", query)
	}
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(query[:end+1])
	if err != nil {
		return nil, fmt.Errorf("selector of logs: %w", err)
	}
	stream := s.logLabels(environment)
	if !matchesAll(ms, stream) {
		return nil, fmt.Errorf("log lines have the labels %v, which %s does not match", stream, query[:end+1])
	}
	lines := s.log()
	for _, stage := range stages(query[end+1:]) {
		if lines, err = filter(lines, stage); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// stages splits a pipeline at its bars, outside quotes.
func stages(pipeline string) []string {
	var out []string
	var quote rune
	escaped := false
	begin := 0
	cut := func(end int) {
		if text := strings.TrimSpace(pipeline[begin:end]); text != "" {
			out = append(out, text)
		}
	}
	for i, r := range pipeline {
		switch {
		case escaped:
			escaped = false
		case quote == '"' && r == '\\':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '`'):
			quote = r
		case quote == 0 && r == '|':
			cut(i)
			begin = i + 1
		}
	}
	cut(len(pipeline))
	return out
}

// filter applies one stage.
func filter(lines []line, stage string) ([]line, error) {
	if op := stage[:1]; op == "=" || op == "~" {
		text, err := strconv.Unquote(strings.TrimSpace(stage[1:]))
		if err != nil {
			return nil, unknownStage(stage)
		}
		return containing(lines, op, text)
	}
	word, rest, _ := strings.Cut(stage, " ")
	switch word {
	case "json", "logfmt":
		return extract(lines, rest)
	case "drop", "keep", "label_format", "line_format", "unpack", "decolorize":
		return lines, nil
	}
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector("{" + stage + "}")
	if err != nil {
		return nil, unknownStage(stage)
	}
	var out []line
	for _, l := range lines {
		if matchesAll(ms, labelsOfLine(l)) {
			out = append(out, l)
		}
	}
	return out, nil
}

func unknownStage(stage string) error {
	return fmt.Errorf("verify does not support the stage %q of log queries; check it in Grafana", stage)
}

// containing applies a line filter: |= or |~.
func containing(lines []line, op, text string) ([]line, error) {
	pattern := text
	if op == "=" {
		pattern = regexp.QuoteMeta(text)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("filter of log lines: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(lines), func(l line) bool {
		var raw bytes.Buffer
		encoder := json.NewEncoder(&raw)
		encoder.SetEscapeHTML(false) // log lines do not escape & and <
		return encoder.Encode(l) != nil || !re.Match(bytes.TrimSpace(raw.Bytes()))
	}), nil
}

// labelsOfLine returns the labels that stages can filter by. Loki detects the level itself.
func labelsOfLine(l line) map[string]string {
	out := map[string]string{"detected_level": strings.ToLower(l.text("level"))}
	for key, value := range l {
		out[key] = fmt.Sprint(value)
	}
	return out
}

// extract adds the labels that a stage reads from fields. It is an error if no line has the field.
func extract(lines []line, fields string) ([]line, error) {
	out := make([]line, len(lines))
	for i, l := range lines {
		out[i] = maps.Clone(l)
	}
	for field := range strings.SplitSeq(fields, ",") {
		label, key, ok := strings.Cut(field, "=")
		label, key = strings.TrimSpace(label), strings.Trim(strings.TrimSpace(key), `"`)
		if !ok || key == "" || len(lines) == 0 {
			continue
		}
		if !slices.ContainsFunc(lines, func(l line) bool { return l[key] != nil }) {
			return nil, fmt.Errorf("no log line has the field %s", key)
		}
		for i, l := range lines {
			if l[key] != nil {
				out[i][label] = l[key]
			}
		}
	}
	return out, nil
}
