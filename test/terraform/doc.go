// Package terraform runs the generated Terraform modules through Terraform
// itself, or OpenTofu where it is not installed: format, validation and tests of
// the module that needs no provider. The modules for clouds are parsed, and
// held to what they declare: their providers cannot be had without an account
// of HashiCorp's registry, so that no attribute of theirs is checked here.
package terraform
