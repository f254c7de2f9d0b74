package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/exposition"
	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/templates"
)

// foreignFlags name files of any origin.
type foreignFlags struct {
	rules, boards    []string
	signals, metrics string
	scrape           string
	target           []string
}

// defaultScrape is what scrape intervals are taken for unless they are given: the
// one of generated services. A longer one finds more.
const defaultScrape = "15s"

func (f *foreignFlags) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.rules, "rules", nil, "rule file or folder of them to check instead of a service; may be repeated")
	flags.StringArrayVar(&f.boards, "boards", nil, "board or folder of them to check instead of a service; may be repeated")
	flags.StringVar(&f.signals, "signals", "", "telemetry.json that declares the metrics (with --rules or --boards)")
	flags.StringVar(&f.metrics, "metrics", "", "scraped page that shows the metrics: a file or an address")
	flags.StringVar(&f.scrape, "scrape-interval", defaultScrape, "how far apart scrapes are")
	flags.StringSliceVar(&f.target, "target-labels", nil, "labels that the scrape adds, beside job and instance")
}

func (f *foreignFlags) given() bool { return len(f.rules) > 0 || len(f.boards) > 0 }

// validate refuses flags that mean nothing together.
func (f *foreignFlags) validate(cmd *cobra.Command, args []string) error {
	if !f.given() {
		for _, name := range []string{"signals", "metrics", "scrape-interval", "target-labels"} {
			if cmd.Flags().Changed(name) {
				return usage(cmd, "--%s needs --rules or --boards; a service declares it in its %s and its signals", name, "scaffold.yaml")
			}
		}
		return nil
	}
	for _, name := range []string{"defaults", "runtime"} {
		if cmd.Flags().Changed(name) {
			return usage(cmd, "--%s is for services; leave it out with --rules and --boards", name)
		}
	}
	switch {
	case len(args) > 0:
		return usage(cmd, "%q is a service, --rules and --boards are files of any origin; give one of them", args[0])
	case f.signals != "" && f.metrics != "":
		return usage(cmd, "--signals and --metrics both declare metrics; give one of them")
	}
	if d, err := model.ParseDuration(f.scrape); err != nil || d <= 0 {
		return usage(cmd, "--scrape-interval: %q is not a duration; write one such as 15s or 1m", f.scrape)
	}
	for _, label := range f.target {
		if !model.LegacyValidation.IsValidLabelName(label) {
			return usage(cmd, "--target-labels: %q is no name of a label; write them as job,cluster", label)
		}
	}
	return nil
}

func runForeignCheck(ctx context.Context, g *globals, f foreignFlags) error {
	scrape, err := model.ParseDuration(f.scrape)
	if err != nil {
		return err
	}
	o := observed{target: f.target, scrape: time.Duration(scrape), complete: len(f.rules) > 0}
	if o.signals, err = f.declared(ctx); err != nil {
		return err
	}
	folders := map[string]bool{}
	if err := eachFile(f.rules, ruleEndings(), folders, o.addRulesFound); err != nil {
		return err
	}
	if err := eachFile(f.boards, boardEndings(), folders, func(name string, src []byte, _ bool) { o.addBoard(name, src) }); err != nil {
		return err
	}
	if err := o.excludeFrom(folders); err != nil {
		return err
	}
	o.runbooks = o.keepsRunbooks()
	report := checked{RuleFiles: len(o.rules), Boards: len(o.boards), Findings: []Finding{}}
	report.add(namesCheck{}.Name(), o.unknownNames())
	report.add(lintCheck{}.Name(), o.lints())
	g.printChecked(report)
	if report.Faults > 0 {
		return &DriftError{report.Faults}
	}
	return nil
}

// eachFile reads the files that are named, and those with one of the endings in
// folders that are named. Found is false for a file that was named itself.
func eachFile(named, endings []string, folders map[string]bool, add func(name string, src []byte, found bool)) error {
	for _, name := range named {
		info, err := os.Stat(name)
		if err != nil {
			return notThere(name, err)
		}
		files := []string{name}
		if info.IsDir() {
			files = below(name, ".", endings...)
			for i := range files {
				files[i] = filepath.Join(name, filepath.FromSlash(files[i]))
			}
			folders[name] = true
		} else {
			folders[filepath.Dir(name)] = true
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				return notThere(file, err)
			}
			add(filepath.ToSlash(file), src, info.IsDir())
		}
	}
	return nil
}

func notThere(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s; name a file or a folder", name)
	}
	return err
}

// addRulesFound leaves out what lies in a folder of rules and is something else,
// such as the configuration of Alertmanager.
func (o *observed) addRulesFound(name string, src []byte, found bool) {
	if found && !mayHoldRules(src) {
		return
	}
	o.addRules(name, src)
}

// mayHoldRules goes by the keys at the left edge: groups, or the resource that
// operators take. JSON has no such edge and is read.
func mayHoldRules(src []byte) bool {
	for line := range strings.Lines(string(src)) {
		line = strings.NewReplacer("\"", "", "'", "").Replace(line)
		if strings.HasPrefix(line, "groups:") || strings.HasPrefix(line, "kind: PrometheusRule") || strings.HasPrefix(line, "{") {
			return true
		}
	}
	return false
}

// excludeFrom reads the exclusions of folders, each file once.
func (o *observed) excludeFrom(folders map[string]bool) error {
	seen := map[string]bool{}
	for folder := range folders {
		for _, file := range below(folder, ".", lint.FileName) {
			name := filepath.Join(folder, filepath.FromSlash(file))
			if path.Base(file) != lint.FileName || seen[name] {
				continue
			}
			seen[name] = true
			src, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			o.addExclusions(filepath.ToSlash(name), src)
		}
	}
	return nil
}

// keepsRunbooks says whether these alerts have runbooks: one that has none among
// them was forgotten.
func (o *observed) keepsRunbooks() bool {
	for _, f := range o.rules {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				if r.Annotations["runbook_url"] != "" {
					return true
				}
			}
		}
	}
	return false
}

// declared reads what the metrics are, nil when nobody says.
func (f *foreignFlags) declared(ctx context.Context) (*templates.Signals, error) {
	var signals templates.Signals
	var src []byte
	var err error
	switch {
	case f.signals != "":
		if src, err = os.ReadFile(f.signals); err != nil {
			return nil, notThere(f.signals, err)
		}
		signals, err = templates.ParseSignals(f.signals, src)
	case strings.HasPrefix(f.metrics, "http://"), strings.HasPrefix(f.metrics, "https://"):
		if src, err = fetchMetrics(ctx, f.metrics); err != nil {
			return nil, err
		}
		signals, err = exposition.Parse(f.metrics, src)
	case f.metrics != "":
		if src, err = os.ReadFile(f.metrics); err != nil {
			return nil, notThere(f.metrics, err)
		}
		signals, err = exposition.Parse(f.metrics, src)
	default:
		return nil, nil //nolint:nilnil // documented
	}
	return &signals, err
}

const (
	fetchTimeout = 10 * time.Second // Prometheus's own scrape timeout
	maxPage      = 64 << 20         // bytes; a page of a million series
)

// fetchMetrics scrapes a page.
func fetchMetrics(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w; write an address such as http://localhost:9464/metrics", err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w; is the program running?", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("--metrics: %s answers %s; give the page that Prometheus scrapes", address, response.Status)
	}
	page, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--metrics: %s: %w", address, err)
	case len(page) > maxPage:
		return nil, fmt.Errorf("--metrics: %s is larger than %d MB; save the part that matters to a file and give that", address, maxPage>>20)
	}
	return page, nil
}
