// Package ociimage builds a container image of a Go binary and Mozilla's certificate authorities,
// without a container engine.
//
// Images are reproducible: the same binary, options and scaffold produce the same digest. Files
// have the owner root, a fixed time and a fixed order.
package ociimage
