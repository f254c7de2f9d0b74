// Package ociimage packs a Go binary into a container image without a container
// engine: the binary, the certificate authorities of Mozilla and nothing else.
//
// The image follows from its input alone. The same binary, options and scaffold
// give the same digest on every machine and at any time: files have no owner but
// root, one time, and a fixed order.
package ociimage
