package sbom

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/google/licensecheck"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// certain is the share of a licence file, in per cent, that has to be text of
// known licences. pkg.go.dev asks for the same before it shows a module.
const certain = 75

// licenceOf names the licence of a module as an SPDX expression. Several texts,
// in one file or in several, all apply. vendored is the vendor folder.
func licenceOf(vendored fs.FS, module string) (string, error) {
	entries, err := fs.ReadDir(vendored, module)
	if err != nil {
		return "", fmt.Errorf("%s is not vendored, so that its licence is not known; run go mod vendor", module)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() || !isLicenceFile(e.Name()) {
			continue
		}
		name := path.Join(module, e.Name())
		text, err := userfile.ReadFS(vendored, name, userfile.Limit)
		if err != nil {
			return "", err
		}
		coverage := licensecheck.Scan(text)
		if coverage.Percent < certain {
			return "", fmt.Errorf("vendor/%s is no licence that is known (%.0f %% of it is); look at it, and leave the module out or ask your lawyer", name, coverage.Percent)
		}
		for _, m := range coverage.Match {
			found = append(found, m.ID)
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s has no licence file in vendor/%[1]s; without one nobody may ship it", module)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), nil
}

// isLicenceFile knows the names that go mod vendor copies for a licence.
func isLicenceFile(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem, _, _ = strings.Cut(stem, "-")
	return slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE"}, stem)
}

// licencesOf names them all, and every module that has none.
func licencesOf(vendored fs.FS, modules []string) (map[string]string, error) {
	licences := map[string]string{}
	var problems []error
	for _, m := range modules {
		licence, err := licenceOf(vendored, m)
		licences[m] = licence
		problems = append(problems, err)
	}
	return licences, errors.Join(problems...)
}
