package runbooks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// alertmanager starts Alertmanager with the configuration and returns its URL.
func alertmanager(t *testing.T, config string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "alertmanager")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/prometheus/alertmanager/cmd/alertmanager").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin, "--config.file", config, "--storage.path", t.TempDir(), "--cluster.listen-address=", "--web.listen-address=127.0.0.1:0")
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, drained := make(chan string, 1), make(chan struct{})
	var log bytes.Buffer
	go func() {
		defer close(drained)
		defer close(address)
		listening := regexp.MustCompile(`msg="Listening on" .*address=(\S+)`)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				select {
				case address <- "http://" + found[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("alertmanager: %v\n%s", err, &log)
		}
	})
	url, ok := <-address
	if !ok {
		t.Fatalf("alertmanager exited before it was ready:\n%s", &log)
	}
	return url
}

// labels is the labels of an alert in the API of Alertmanager.
type labels map[string]string

// alerts returns the labels of each alert in the rule files, firing in the environment.
func alerts(t *testing.T, dir, environment string) []labels {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.rules.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no rules in %s (%v)", dir, err)
	}
	placeholder := regexp.MustCompile(`^\{\{ \$labels\.\w+ \}\}$`)
	var out []labels
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Groups []struct {
				Rules []struct {
					Alert  string `yaml:"alert"`
					Labels labels `yaml:"labels"`
				} `yaml:"rules"`
			} `yaml:"groups"`
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, g := range file.Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				fired := labels{"alertname": r.Alert, "provider": "PROVIDER"} // as an objective with groupBy has it
				for k, v := range r.Labels {
					fired[k] = placeholder.ReplaceAllLiteralString(v, environment)
				}
				out = append(out, fired)
			}
		}
	}
	return out
}

// call sends a request to the API of Alertmanager and decodes the response.
func call(t *testing.T, method, url string, body, response any) {
	t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s %v", method, url, res.Status, got, err)
	}
	if response == nil {
		return
	}
	if err := json.Unmarshal(got, response); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
}

// silenced lists the silenced alerts, as name/environment.
func silenced(t *testing.T, url string) []string {
	t.Helper()
	var all []struct {
		Labels labels
		Status struct{ SilencedBy []string }
	}
	call(t, http.MethodGet, url+"/api/v2/alerts", nil, &all)
	var out []string
	for _, a := range all {
		if len(a.Status.SilencedBy) > 0 {
			out = append(out, a.Labels["alertname"]+"/"+a.Labels["environment"])
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // there is a NoData alert for each objective
}

// Each alert has a command in a runbook that silences only this alert in only its
// environment, not in staging.
func TestSilencesCoverOneAlert(t *testing.T) {
	t.Parallel()
	observability := filepath.Join("..", "..", "examples", "orders", "observability")
	url := alertmanager(t, filepath.Join(observability, "alertmanager.yaml"))
	s := newShell(t)
	s.file(t, ".config/amtool/config.yml", "alertmanager.url: "+url+"\n")
	checkSilences(t, s, url, read(t, filepath.Join(observability, "runbooks")), filepath.Join(observability, "rules"), "prod")
}

// If the specification has the URL of an Alertmanager, the command needs no
// configuration file.
func TestSilencesUseTheURLOfTheSpecification(t *testing.T) {
	t.Parallel()
	observability := filepath.Join("..", "..", "examples", "orders", "observability")
	url := alertmanager(t, filepath.Join(observability, "alertmanager.yaml"))
	dir := t.TempDir()
	spec, err := os.ReadFile(filepath.Join("..", "..", "examples", "slo", "checkout.slo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const original = "https://alertmanager.acme.test"
	if !bytes.Contains(spec, []byte(original)) {
		t.Fatalf("examples/slo/checkout.slo.yaml does not contain %s", original)
	}
	file := filepath.Join(dir, "checkout.slo.yaml")
	if err := os.WriteFile(file, bytes.Replace(spec, []byte(original), []byte(url), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./cmd/scaffold", "slo", file, "-o", dir)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkSilences(t, newShell(t), url, read(t, filepath.Join(dir, "runbooks")), dir, "production")
}

func checkSilences(t *testing.T, s shell, url string, books []book, rules, environment string) {
	t.Helper()
	var fired []map[string]labels
	for _, each := range []string{environment, "staging"} {
		for _, a := range alerts(t, rules, each) {
			fired = append(fired, map[string]labels{"labels": a})
		}
	}
	call(t, http.MethodPost, url+"/api/v2/alerts", fired, nil)
	var want []string
	lines := of(t, "amtool", books)
	expire := slices.IndexFunc(lines, func(line string) bool { return strings.HasSuffix(line, " ID") })
	if expire < 0 {
		t.Fatalf("no command of %q expires a silence", lines)
	}
	for _, line := range slices.Delete(slices.Clone(lines), expire, expire+1) {
		id := amtoolOutput(t, s, line)
		before := len(want)
		if want = appendSilenced(t, url, want); len(want) != before+1 || !strings.Contains(line, " alertname="+alertName(want[before])+" ") {
			t.Errorf("%s\nsilences %q, want only the alert of the command", line, want[before:])
		}
		var silence struct {
			Comment          string
			StartsAt, EndsAt time.Time
			Status           struct{ State string }
		}
		call(t, http.MethodGet, url+"/api/v2/silence/"+id, nil, &silence)
		if lasts := silence.EndsAt.Sub(silence.StartsAt).Round(time.Minute); silence.Status.State != "active" || silence.Comment == "" || lasts != 2*time.Hour {
			t.Errorf("%s\ngot silence %+v for %s, want an active one with a comment for 2h", line, silence, lasts)
		}
		amtoolOutput(t, s, strings.TrimSuffix(lines[expire], "ID")+id)
		if call(t, http.MethodGet, url+"/api/v2/silence/"+id, nil, &silence); silence.Status.State != "expired" {
			t.Errorf("after %s the silence is %s, want expired", lines[expire], silence.Status.State)
		}
	}
	var all []string
	for _, a := range alerts(t, rules, environment) {
		all = append(all, a["alertname"]+"/"+environment)
	}
	slices.Sort(all)
	slices.Sort(want)
	if all = slices.Compact(all); !slices.Equal(want, all) {
		t.Errorf("commands of the runbooks silence %q, want all alerts: %q", want, all)
	}
}

// amtoolOutput runs a command of amtool and returns its output.
func amtoolOutput(t *testing.T, s shell, line string) string {
	t.Helper()
	out, err := s.run(t, line)
	if err != nil {
		t.Errorf("%s\n%v\n%s", line, err, out)
	}
	return strings.TrimSpace(out)
}

// appendSilenced appends the silenced alerts that are not in the list.
func appendSilenced(t *testing.T, url string, before []string) []string {
	t.Helper()
	for _, one := range silenced(t, url) {
		if !slices.Contains(before, one) {
			before = append(before, one)
		}
	}
	return before
}

// alertName returns the name in name/environment.
func alertName(alert string) string {
	name, _, _ := strings.Cut(alert, "/")
	return name
}
