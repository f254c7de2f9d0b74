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

// goLicence is that of Go and its standard library (go.dev/LICENSE).
const goLicence = "BSD-3-Clause"

// specVersion is the version of CycloneDX that is written. Scanners are slow to
// read the newest.
const specVersion = cdx.SpecVersion1_6

// Subject is the binary that is described.
type Subject struct {
	Name    string // of the service
	Version string
	Info    *debug.BuildInfo
}

// Read reads what the Go tool noted in the binary.
func Read(path, name, version string) (Subject, error) {
	if err := userfile.Regular(path); err != nil {
		return Subject{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return Subject{}, fmt.Errorf("%s is no program that Go built: %w", path, err)
	}
	return Subject{Name: name, Version: version, Info: info}, nil
}

// Bill is what a binary is made of.
type Bill struct {
	subject  Subject
	licences map[string]string // by the path that the code imports
	sums     sums
}

// New lists the modules with their licences. It names every module that has
// none that is known. tree is the folder of the service, with vendor and go.sum.
func New(s Subject, tree fs.FS) (Bill, error) {
	var paths []string
	for _, m := range s.Info.Deps {
		paths = append(paths, m.Path)
	}
	vendored, err := fs.Sub(tree, "vendor")
	if err != nil {
		return Bill{}, err
	}
	licences, errLicences := licencesOf(vendored, paths)
	known, errSums := readSums(tree, s.Info.Deps)
	return Bill{s, licences, known}, errors.Join(errLicences, errSums)
}

// Modules is how many modules the binary holds, beside its own and Go.
func (b Bill) Modules() int { return len(b.subject.Info.Deps) }

// Licences is a table with the licence of each module.
func (b Bill) Licences() []byte {
	var buf bytes.Buffer
	w := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	for _, c := range b.components() {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, c.Version, (*c.Licenses)[0].Expression)
	}
	_ = w.Flush() // into memory
	return buf.Bytes()
}

// JSON is the CycloneDX document.
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

// components are the modules and Go's standard library, sorted by name.
func (b Bill) components() []cdx.Component {
	goVersion := strings.TrimPrefix(b.subject.Info.GoVersion, "go")
	list := []cdx.Component{{
		BOMRef: purl("std", goVersion), Type: cdx.ComponentTypeLibrary, Name: "std", Version: goVersion,
		PackageURL: purl("std", goVersion), Licenses: expression(goLicence),
	}}
	for _, m := range b.subject.Info.Deps {
		list = append(list, module(m, b.licences[m.Path], b.sums))
	}
	slices.SortFunc(list, func(a, b cdx.Component) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// module is a module as a component. One that another stands in for is named
// as the other, since that is the code that a scanner has to look up; what it
// replaces is its ancestor. A folder has no name of its own.
func module(m *debug.Module, licence string, known sums) cdx.Component {
	code := linked(m)
	c := cdx.Component{
		BOMRef: purl(code.Path, code.Version), Type: cdx.ComponentTypeLibrary,
		Name: code.Path, Version: code.Version, PackageURL: purl(code.Path, code.Version),
		Scope: cdx.ScopeRequired, Licenses: expression(licence), Hashes: hashes(known.of(code)),
	}
	switch {
	case m.Replace == nil:
	case code == m:
		c.Pedigree = &cdx.Pedigree{Notes: "built from the folder " + m.Replace.Path + " instead of the published module"}
	default:
		c.Pedigree = &cdx.Pedigree{Ancestors: &[]cdx.Component{{
			Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: purl(m.Path, m.Version),
		}}}
	}
	return c
}

// linked is the module whose code is in the binary: the one that the code
// imports, or the one that replaces it. A folder has no name of its own.
func linked(m *debug.Module) *debug.Module {
	if m.Replace != nil && !isDirectory(m.Replace.Path) {
		return m.Replace
	}
	return m
}

// isDirectory follows the rule of go.mod: a replacement without a version is a
// path, which begins with a dot or a slash.
func isDirectory(path string) bool {
	return strings.HasPrefix(path, ".") || strings.HasPrefix(path, "/")
}

// purl is the package URL of a module: pkg:golang/NAMESPACE/NAME@VERSION. Module
// paths need no escapes but for the plus of +incompatible.
func purl(path, version string) string {
	url := "pkg:golang/" + path
	if version == "" || version == "(devel)" {
		return url
	}
	return url + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// hashes are the sum of go.sum: h1 is SHA-256 over the list of the files' sums,
// in base64 there and in hexadecimal here.
func hashes(sum string) *[]cdx.Hash {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
	if err != nil || len(raw) == 0 {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
}

func expression(licence string) *cdx.Licenses {
	return &cdx.Licenses{{Expression: licence}}
}

// settings are those of the build that change what is in the binary, and the
// commit.
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
