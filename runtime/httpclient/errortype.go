package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Values of the label error_type other than statuses.
const (
	errorCanceled       = "canceled"
	errorDNS            = "dns"
	errorConnectRefused = "connect_refused"
	errorConnectTimeout = "connect_timeout"
	errorConnect        = "connect"
	errorTLS            = "tls"
	errorTimeout        = "timeout"
	errorReset          = "reset"
	errorOther          = "_OTHER"
)

// errorType classifies an error. The text of an error is never a label value.
func errorType(err error) string {
	if errors.Is(err, context.Canceled) {
		return errorCanceled
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errorDNS
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return dialError(op)
	}
	switch {
	case isTLS(err):
		return errorTLS
	case isTimeout(err):
		return errorTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return errorReset
	}
	return errorOther
}

func dialError(op *net.OpError) string {
	switch {
	case op.Timeout():
		return errorConnectTimeout
	case errors.Is(op, syscall.ECONNREFUSED):
		return errorConnectRefused
	}
	return errorConnect
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// isTLS reports a failed handshake. net/http has no type for the timeout of a handshake, only its
// text.
func isTLS(err error) bool {
	var (
		record      tls.RecordHeaderError
		alert       tls.AlertError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
	)
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &certificate) ||
		errors.As(err, &authority) || errors.As(err, &hostname) ||
		strings.Contains(err.Error(), "TLS handshake timeout")
}
