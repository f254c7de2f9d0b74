package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// scrapeConfig is the configuration of the service's own Prometheus.
type scrapeConfig struct {
	Global  scrape   `yaml:"global"`
	Scrapes []scrape `yaml:"scrape_configs"`
}

// scrape has the settings of a job, or the global ones.
type scrape struct {
	JobName        string         `yaml:"job_name"`
	ScrapeInterval model.Duration `yaml:"scrape_interval"`
	Native         *bool          `yaml:"scrape_native_histograms"`
	Classic        *bool          `yaml:"always_scrape_classic_histograms"`
}

func (s *session) scrapeConfig() (scrapeConfig, error) {
	var config scrapeConfig
	if err := yamldoc.Expect(s.subject.Provisioned.Prometheus, "scrape_configs:", "global:"); err != nil {
		return scrapeConfig{}, err
	}
	return config, yaml.Unmarshal(s.subject.Provisioned.Prometheus, &config)
}

// target returns the scrape target with the histogram settings of the service's own Prometheus. If that is
// not known, the target keeps all forms of histograms.
func (s *session) target(c *child) metricstore.Target {
	target := metricstore.Target{Labels: targetLabels(s.subject.Selector, s.subject.EnvironmentLabel, strings.TrimPrefix(c.admin, "http://"))}
	config, err := s.scrapeConfig()
	if err != nil {
		return target // scrapeInterval reports it
	}
	drops := func(job, global *bool) bool {
		keeps := cmp.Or(job, global)
		return keeps == nil || !*keeps
	}
	for _, job := range config.Scrapes {
		if job.JobName == s.subject.Selector[semconv.LabelJob] {
			target.DropNative, target.DropClassic = drops(job.Native, config.Global.Native), drops(job.Classic, config.Global.Classic)
		}
	}
	return target
}

// scrapeInterval checks that the service's own Prometheus uses the declared scrape interval: every increase
// and window of the rules depends on it. A service that pushes its metrics sets the interval itself.
func (s *session) scrapeInterval() {
	if s.subject.Provisioned.Prometheus == nil || s.subject.Pushes {
		return
	}
	config, err := s.scrapeConfig()
	var jobs []string
	for _, job := range config.Scrapes {
		jobs = append(jobs, job.JobName)
		interval := time.Duration(job.ScrapeInterval)
		if interval == 0 {
			interval = time.Duration(config.Global.ScrapeInterval)
		}
		if job.JobName == s.subject.Selector[semconv.LabelJob] && interval != s.subject.ScrapeInterval {
			err = fmt.Errorf("job %s is scraped every %s, but the rules are for %s; set telemetry.scrapeInterval to the interval of the scraper and run scaffold generate", job.JobName, interval, s.subject.ScrapeInterval)
		}
	}
	if want := s.subject.Selector[semconv.LabelJob]; err == nil && want != "" && !slices.Contains(jobs, want) {
		err = fmt.Errorf("no job is named %s; available: %s", want, readable(jobs))
	}
	p := report.Check{Section: sectionRules, Name: "the scrape interval is the declared one", File: prometheusFile, Status: report.Passed, Detail: s.subject.ScrapeInterval.String()}
	if err != nil {
		p.Status, p.Detail = report.Failed, err.Error()
	}
	s.checks.Add(p)
}

// datasource is the part of a provisioned data source that links signals.
type datasource struct {
	UID      string `yaml:"uid"`
	Type     string `yaml:"type"`
	JSONData struct {
		Exemplars []struct {
			Name          string `yaml:"name"`
			DatasourceUID string `yaml:"datasourceUid"`
		} `yaml:"exemplarTraceIdDestinations"`
		Logs *struct {
			DatasourceUID string `yaml:"datasourceUid"`
			Query         string `yaml:"query"`
		} `yaml:"tracesToLogsV2"`
		Profiles *struct {
			DatasourceUID string `yaml:"datasourceUid"`
			ProfileType   string `yaml:"profileTypeId"`
		} `yaml:"tracesToProfiles"`
		Metrics *struct {
			DatasourceUID string `yaml:"datasourceUid"`
			Queries       []struct {
				Name  string `yaml:"name"`
				Query string `yaml:"query"`
			} `yaml:"queries"`
		} `yaml:"tracesToMetrics"`
		Derived []struct {
			Label         string `yaml:"matcherRegex"`
			DatasourceUID string `yaml:"datasourceUid"`
		} `yaml:"derivedFields"`
	} `yaml:"jsonData"`
}

// datasources checks that each configured link from one signal to another finds data.
func (s *session) datasources(ctx context.Context) {
	if s.subject.Provisioned.Datasources == nil {
		return
	}
	var file struct {
		Datasources []datasource `yaml:"datasources"`
	}
	err := yamldoc.Expect(s.subject.Provisioned.Datasources, "datasources:")
	if err == nil {
		err = yaml.Unmarshal(s.subject.Provisioned.Datasources, &file)
	}
	if err != nil {
		s.way("data sources", "", err)
		return
	}
	known := func(uid string) error {
		if slices.ContainsFunc(file.Datasources, func(d datasource) bool { return d.UID == uid }) {
			return nil
		}
		return fmt.Errorf("data source %q does not exist", uid)
	}
	for _, d := range file.Datasources {
		for _, e := range d.JSONData.Exemplars {
			s.way("from an exemplar to its trace", "by the label "+e.Name, errors.Join(known(e.DatasourceUID), s.exemplarsHave(e.Name)))
		}
		if to := d.JSONData.Logs; to != nil {
			s.way("from a trace to its log lines", "by the field that the query extracts", errors.Join(known(to.DatasourceUID), s.linesHave(to.Query)))
		}
		if to := d.JSONData.Profiles; to != nil {
			evidence, found, err := s.askProfiles(fmt.Sprintf("{%s=%q}", semconv.LabelServiceName, s.subject.Service), to.ProfileType)
			if err == nil && !found {
				err = errors.New(evidence)
			}
			s.way("from a span to its profile", evidence, errors.Join(known(to.DatasourceUID), err))
		}
		if to := d.JSONData.Metrics; to != nil {
			for _, q := range to.Queries {
				s.way("from a trace to "+q.Name, "gives data", errors.Join(known(to.DatasourceUID), s.routeHas(ctx, q.Query)))
			}
		}
		for _, f := range d.JSONData.Derived {
			s.way("from a log line to its trace", "by the label "+f.Label, errors.Join(known(f.DatasourceUID), s.dashboardsMake(f.Label)))
		}
	}
}

func (s *session) way(claim, evidence string, err error) {
	p := report.Check{Section: sectionLinks, Name: claim, File: datasourcesFile, Status: report.Passed, Detail: evidence}
	if err != nil {
		p.Status, p.Detail = report.Failed, err.Error()
	}
	s.checks.Add(p)
}

// exemplarsHave checks that the scraped exemplars have the label.
func (s *session) exemplarsHave(label string) error {
	seen := 0
	for _, r := range s.exemplars() {
		for _, e := range r.Exemplars {
			seen++
			if e.Labels.Has(label) {
				return nil
			}
		}
	}
	return fmt.Errorf("none of %d exemplars has the label %s", seen, label)
}

// linesHave checks that some log line has the fields that a log query extracts.
func (s *session) linesHave(query string) error {
	query = strings.ReplaceAll(query, "$$", "$")
	_, pipeline, _ := strings.Cut(query, "}")
	for strings.HasPrefix(strings.TrimSpace(pipeline), "}") { // of ${__tags}
		_, pipeline, _ = strings.Cut(pipeline, "}")
	}
	for _, stage := range stages(pipeline) {
		if fields, ok := strings.CutPrefix(stage, "json "); ok {
			if _, err := extract(s.log(), fields); err != nil {
				return err
			}
		}
	}
	return nil
}

// routeHas runs a query with the route of a span.
func (s *session) routeHas(ctx context.Context, query string) error {
	for _, span := range s.receiver.Spans() {
		route, ok := span.Attributes["http.route"].(string)
		if !ok {
			continue
		}
		query = strings.NewReplacer("$$__tags", fmt.Sprintf("%s=%q", semconv.LabelRoute, route), "$$", "$").Replace(query)
		filled := fillIn(query, s.filler(nil))
		if n, err := s.prober.look(ctx, filled, false); err != nil || n == 0 {
			return errors.Join(err, errors.New("no data: "+s.prober.why(ctx, filled)))
		}
		return nil
	}
	return errors.New("no span has a route")
}

// dashboardsMake checks that a log query creates the label.
func (s *session) dashboardsMake(label string) error {
	makes, err := regexp.Compile(`\b` + regexp.QuoteMeta(label) + `=`)
	if err != nil {
		return err
	}
	for _, b := range s.subject.Dashboards {
		for _, t := range b.All() {
			if t.Datasource.Type == "loki" && makes.MatchString(t.Expr) {
				return nil
			}
		}
	}
	return fmt.Errorf("no query of log lines makes the label %s", label)
}
