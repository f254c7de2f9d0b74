package pipelines

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const renovateFile = "renovate.json"

// renovate validates the configuration with Renovate.
func (s service) renovate(t *testing.T) (string, error) {
	t.Helper()
	// Node evaluates the regular expressions, because re2 would have to be compiled.
	environment := []string{"RENOVATE_X_IGNORE_RE2=true", "LOG_LEVEL=info"}
	out, err := s.try(t, environment, node(t), module(t, "renovate/dist/config-validator.js"), "--no-global", "--strict", renovateFile)
	if err != nil {
		return out, err
	}
	presets, pathErr := filepath.Abs("testdata/presets.mjs")
	if pathErr != nil {
		t.Fatal(pathErr)
	}
	more, err := s.try(t, environment, node(t), presets, renovateFile)
	return out + more, err
}

func TestRenovateConfiguration(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["everything"])
	if out, err := s.renovate(t); err != nil || !strings.Contains(out, "Config validated successfully") {
		t.Errorf("%v\n%s", err, out)
	}
	text := s.read(t, renovateFile)
	for name, change := range map[string][2]string{
		"unknown key":                 {`"packageRules"`, `"packageRule"`},
		"unknown matcher":             {`"matchManagers"`, `"matchManager"`},
		"unknown customType":          {`"customType": "regex"`, `"customType": "regexp"`},
		"invalid regular expression":  {`"matchStrings": ["go run (`, `"matchStrings": ["go run ((`},
		"unknown preset":              {`"config:recommended"`, `"config:recommend"`},
		"no group currentValue":       {`(?<currentValue>v[^\"]+)`, `(?<current>v[^\"]+)`},
		"number in a list of presets": {`"extends": [`, `"extends": [1, `},
		"invalid JSON":                {`"extends"`, `extends:`},
	} {
		s.write(t, renovateFile, replace(t, text, change[0], change[1]))
		if out, err := s.renovate(t); err == nil {
			t.Errorf("%s is not detected:\n%s", name, out)
		}
	}
}

// The regular expressions match the versions in generated files that no other manager
// of Renovate updates.
func TestRenovateFindsVersions(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["everything"])
	var config struct {
		CustomManagers []struct {
			Files   []string `json:"managerFilePatterns"`
			Matches []string `json:"matchStrings"`
			Name    string   `json:"depNameTemplate"`
		} `json:"customManagers"`
	}
	if err := json.Unmarshal([]byte(s.read(t, renovateFile)), &config); err != nil {
		t.Fatal(err)
	}
	released := strings.Replace(s.read(t, ".scaffold/manifest.json"), `"generator": "devel"`, `"generator": "v0.5.0"`, 1)
	var got []string
	for _, m := range config.CustomManagers {
		for name, text := range map[string]string{
			".scaffold/manifest.json": released, "services/orders/.scaffold/manifest.json": released,
			"Makefile": s.read(t, "Makefile"), gitlabFile: s.read(t, gitlabFile),
		} {
			if !regexp.MustCompile(strings.Trim(m.Files[0], "/")).MatchString(name) {
				continue
			}
			expression := regexp.MustCompile(m.Matches[0])
			for _, found := range expression.FindAllStringSubmatch(text, -1) {
				dependency := m.Name
				if i := expression.SubexpIndex("depName"); i >= 0 {
					dependency = found[i]
				}
				got = append(got, name+": "+dependency+" "+found[expression.SubexpIndex("currentValue")])
			}
		}
	}
	slices.Sort(got)
	want := []string{
		".gitlab-ci.yml: kubernetes/kubernetes v1.37.2",
		".scaffold/manifest.json: github.com/observability-first/scaffold v0.5.0",
		"Makefile: github.com/golangci/golangci-lint/v2 v2.15.0",
		"services/orders/.scaffold/manifest.json: github.com/observability-first/scaffold v0.5.0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found versions %q, want %q", got, want)
	}
}
