package ociimage

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// authorities is the PEM file of Mozilla's certificate authorities as the Go
// project publishes them. The machine's own would make the image depend on the
// machine. Those that browsers trust only with constraints are in, as they are in
// the bundles of Linux distributions: a PEM file cannot hold a constraint.
func authorities() ([]byte, error) {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&buf, "# %s\n", cert.Subject)
		if err := pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}
