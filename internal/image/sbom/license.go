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

// certain is the minimum percentage of a license file that is text of known licenses, as on
// pkg.go.dev.
const certain = 75

// licenseOf returns the license of a module as an SPDX expression. If there are several texts, all
// apply. vendored is the vendor directory.
func licenseOf(vendored fs.FS, module string) (string, error) {
	entries, err := fs.ReadDir(vendored, module)
	if err != nil {
		return "", fmt.Errorf("%s is not vendored, so its license is unknown; run go mod vendor", module)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() || !isLicenseFile(e.Name()) {
			continue
		}
		name := path.Join(module, e.Name())
		text, err := userfile.ReadFS(vendored, name, userfile.Limit)
		if err != nil {
			return "", err
		}
		coverage := licensecheck.Scan(text)
		if coverage.Percent < certain {
			return "", fmt.Errorf("vendor/%s is not a known license (%.0f %% of its text is); ask your legal team or remove the module", name, coverage.Percent)
		}
		for _, m := range coverage.Match {
			found = append(found, m.ID)
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s has no license file in vendor/%[1]s and must not be distributed; remove the module", module)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), nil
}

// isLicenseFile reports whether go mod vendor copies a file as a license.
func isLicenseFile(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem, _, _ = strings.Cut(stem, "-")
	return slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE"}, stem)
}

// licensesOf returns the licenses of all modules. The error names all modules without one.
func licensesOf(vendored fs.FS, modules []string) (map[string]string, error) {
	licenses := map[string]string{}
	var problems []error
	for _, m := range modules {
		license, err := licenseOf(vendored, m)
		licenses[m] = license
		problems = append(problems, err)
	}
	return licenses, errors.Join(problems...)
}
