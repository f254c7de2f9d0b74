package sbom_test

import (
	"bytes"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/observability-first/scaffold/internal/image/sbom"
)

func tree(t *testing.T) fstest.MapFS {
	t.Helper()
	apache, err := os.ReadFile("../../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	isc := []byte("Copyright 2020 Somebody\n\nPermission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.\n")
	return fstest.MapFS{
		"go.sum": {Data: []byte("acme.test/apache v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nacme.test/apache v1.0.0/go.mod h1:abc=\n" +
			"acme.test/plain v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nacme.test/own v1.0.0 h1:abc=\nacme.test/none v1.0.0 h1:abc=\n")},
		"vendor/acme.test/apache/LICENSE":     {Data: apache},
		"vendor/acme.test/plain/LICENSE.txt":  {Data: apache},
		"vendor/acme.test/apache/NOTICE":      {Data: []byte("acme")},
		"vendor/acme.test/both/LICENSE.md":    {Data: apache},
		"vendor/acme.test/both/COPYING":       {Data: isc},
		"vendor/acme.test/own/LICENSE":        {Data: []byte("You may read this on Tuesdays, and on no other day of the week.")},
		"vendor/acme.test/none/none.go":       {Data: []byte("package none")},
		"vendor/acme.test/none/LICENSE/x.txt": {Data: apache}, // a directory is not a license
	}
}

func subject(deps ...*debug.Module) sbom.Subject {
	return sbom.Subject{Name: "orders", Version: "v1.4.2", Info: &debug.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Path: "acme.test/orders", Version: "(devel)"}, Deps: deps,
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "DefaultGODEBUG", Value: "x=1"}},
	}}
}

func module(path, version, sum string) *debug.Module {
	return &debug.Module{Path: path, Version: version, Sum: sum}
}

func TestModulesHaveTheirLicense(t *testing.T) {
	t.Parallel()
	folder, fork := module("acme.test/both", "v0.0.0-00010101000000-000000000000", ""), module("acme.test/apache", "v1.0.0", "")
	folder.Replace = &debug.Module{Path: "../both"}
	fork.Replace = module("acme.test/fork", "v1.0.1+incompatible", "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	bill, err := sbom.New(subject(fork, folder, module("acme.test/plain", "v1.0.0", "")), tree(t))
	if err != nil {
		t.Fatal(err)
	}
	document, err := bill.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(document), cdx.BOMFileFormatJSON).Decode(&got); err != nil {
		t.Fatal(err)
	}
	parts := map[string]cdx.Component{}
	for _, c := range *got.Components {
		parts[c.Name] = c
	}
	if c := parts["acme.test/fork"]; c.PackageURL != "pkg:golang/acme.test/fork@v1.0.1%2Bincompatible" || (*c.Pedigree.Ancestors)[0].Name != "acme.test/apache" ||
		(*c.Hashes)[0].Value != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the fork is %+v", c)
	}
	if c := parts["acme.test/both"]; !strings.Contains(c.Pedigree.Notes, "../both") || (*c.Licenses)[0].Expression != "Apache-2.0 AND ISC" {
		t.Errorf("the module in a directory is %+v", c)
	}
	if c := parts["acme.test/plain"]; (*c.Hashes)[0].Value != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the sum of go.sum is missing: %+v", c)
	}
	if c := parts["std"]; c.Version != "1.26.8" || len(parts) != 4 {
		t.Errorf("Go is %+v, of %d parts", c, len(parts))
	}
	if bytes.Contains(document, []byte("GODEBUG")) || bytes.Contains(document, []byte("timestamp")) || bytes.Contains(document, []byte("serialNumber")) {
		t.Errorf("unexpected text in the document:\n%s", document)
	}
	want := "acme.test/both   v0.0.0-00010101000000-000000000000  Apache-2.0 AND ISC\n" +
		"acme.test/fork   v1.0.1+incompatible                 Apache-2.0\n" +
		"acme.test/plain  v1.0.0                              Apache-2.0\n" +
		"std              1.26.8                              BSD-3-Clause\n"
	if table := string(bill.Licenses()); table != want {
		t.Errorf("got\n%swant\n%s", table, want)
	}
}

func TestModulesWithoutALicenseAreErrors(t *testing.T) {
	t.Parallel()
	_, err := sbom.New(subject(
		module("acme.test/own", "v1.0.0", ""), module("acme.test/apache", "v1.0.0", ""),
		module("acme.test/none", "v1.0.0", ""), module("acme.test/absent", "v1.0.0", ""),
	), tree(t))
	if err == nil {
		t.Fatal("no problem was found")
	}
	for _, want := range []string{
		"vendor/acme.test/own/LICENSE is not a known license",
		"acme.test/none has no license file",
		"acme.test/absent is not vendored",
		"acme.test/absent v1.0.0 is in the binary but not in go.sum",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "apache") {
		t.Errorf("a module with a license is named: %v", err)
	}
}
