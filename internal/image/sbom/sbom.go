package sbom

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// goLicense is the license of Go and its standard library (go.dev/LICENSE).
const goLicense = "BSD-3-Clause"

// specVersion is the version of CycloneDX. Many scanners do not read the newest one.
const specVersion = cdx.SpecVersion1_6

// Subject is the described binary.
type Subject struct {
	Name    string // of the service
	Version string
	Info    *debug.BuildInfo
}

// Read reads the build information of a binary.
func Read(path, name, version string) (Subject, error) {
	if err := userfile.Regular(path); err != nil {
		return Subject{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return Subject{}, fmt.Errorf("%s is not a Go program: %w", path, err)
	}
	return Subject{Name: name, Version: version, Info: info}, nil
}

// Bill is the bill of materials of a binary.
type Bill struct {
	subject  Subject
	licenses map[string]string // by import path
	sums     sums
}

// New returns the modules with their licenses. The error names all modules without a known one. tree
// is the directory of the service, with vendor and go.sum.
func New(s Subject, tree fs.FS) (Bill, error) {
	var paths []string
	for _, m := range s.Info.Deps {
		paths = append(paths, m.Path)
	}
	vendored, err := fs.Sub(tree, "vendor")
	if err != nil {
		return Bill{}, err
	}
	licenses, errLicenses := licensesOf(vendored, paths)
	known, errSums := readSums(tree, s.Info.Deps)
	return Bill{s, licenses, known}, errors.Join(errLicenses, errSums)
}

// Modules returns the number of modules, without the main module and Go.
func (b Bill) Modules() int { return len(b.subject.Info.Deps) }

// Licenses returns a table with the license of each module.
func (b Bill) Licenses() []byte {
	var buf bytes.Buffer
	w := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	for _, c := range b.components() {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, c.Version, (*c.Licenses)[0].Expression)
	}
	_ = w.Flush() // into memory
	return buf.Bytes()
}

// JSON returns the CycloneDX document.
func (b Bill) JSON() ([]byte, error) {
	info := b.subject.Info
	main := cdx.Component{
		BOMRef: "main", Type: cdx.ComponentTypeApplication,
		Name: b.subject.Name, Version: b.subject.Version, PackageURL: purl(info.Main.Path, b.subject.Version),
		Properties: settings(info),
	}
	components := b.components()
	depends := cdx.Dependency{Ref: main.BOMRef, Dependencies: &[]string{}}
	for _, c := range components {
		*depends.Dependencies = append(*depends.Dependencies, c.BOMRef)
	}
	doc := cdx.NewBOM()
	doc.Metadata = &cdx.Metadata{Component: &main}
	doc.Components = &components
	doc.Dependencies = &[]cdx.Dependency{depends}
	var buf bytes.Buffer
	enc := cdx.NewBOMEncoder(&buf, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := enc.EncodeVersion(doc, specVersion); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// components returns the modules and Go's standard library, sorted by name.
func (b Bill) components() []cdx.Component {
	goVersion := strings.TrimPrefix(b.subject.Info.GoVersion, "go")
	list := []cdx.Component{{
		BOMRef: purl("std", goVersion), Type: cdx.ComponentTypeLibrary, Name: "std", Version: goVersion,
		PackageURL: purl("std", goVersion), Licenses: expression(goLicense),
	}}
	for _, m := range b.subject.Info.Deps {
		list = append(list, module(m, b.licenses[m.Path], b.sums))
	}
	slices.SortFunc(list, func(a, b cdx.Component) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// module returns a module as a component. A replaced module has the name of its replacement, which
// scanners look up, and is its ancestor. A module that a directory replaces keeps its name.
func module(m *debug.Module, license string, known sums) cdx.Component {
	code := linked(m)
	c := cdx.Component{
		BOMRef: purl(code.Path, code.Version), Type: cdx.ComponentTypeLibrary,
		Name: code.Path, Version: code.Version, PackageURL: purl(code.Path, code.Version),
		Scope: cdx.ScopeRequired, Licenses: expression(license), Hashes: hashes(known.of(code)),
	}
	switch {
	case m.Replace == nil:
	case code == m:
		c.Pedigree = &cdx.Pedigree{Notes: "built from the directory " + m.Replace.Path + " instead of the published module"}
	default:
		c.Pedigree = &cdx.Pedigree{Ancestors: &[]cdx.Component{{
			Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: purl(m.Path, m.Version),
		}}}
	}
	return c
}

// linked returns the module whose code is in the binary: the replacement, unless it is a directory.
func linked(m *debug.Module) *debug.Module {
	if m.Replace != nil && !isDirectory(m.Replace.Path) {
		return m.Replace
	}
	return m
}

// isDirectory reports whether a replacement in go.mod is a directory, which begins with a dot or a
// slash.
func isDirectory(path string) bool {
	return strings.HasPrefix(path, ".") || strings.HasPrefix(path, "/")
}

// purl returns the package URL of a module: pkg:golang/NAMESPACE/NAME@VERSION. Only the plus of
// +incompatible needs an escape.
func purl(path, version string) string {
	url := "pkg:golang/" + path
	if version == "" || version == "(devel)" {
		return url
	}
	return url + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// hashes converts a sum of go.sum from base64 to hexadecimal. h1 is a SHA-256 of the sums of all files.
func hashes(sum string) *[]cdx.Hash {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
	if err != nil || len(raw) == 0 {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
}

func expression(license string) *cdx.Licenses {
	return &cdx.Licenses{{Expression: license}}
}

// settings returns the build settings that affect the binary, and the commit.
func settings(info *debug.BuildInfo) *[]cdx.Property {
	var list []cdx.Property
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "-tags", "vcs.revision", "vcs.time", "vcs.modified":
			list = append(list, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
		}
	}
	return &list
}
