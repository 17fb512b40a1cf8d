package oci

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// classify wraps an error of the network or the registry in the sentinel that
// says what to do about it. ctx is the context of the try.
func classify(ctx context.Context, err error) error {
	var status *transport.Error
	var u *url.Error
	if !errors.As(err, &status) && errors.As(err, &u) {
		// Without the login's second try, by plain HTTP, which guard refuses,
		// and without a query, which after a redirect can be a secret.
		address, _, _ := strings.Cut(u.URL, "?")
		err = &url.Error{Op: u.Op, URL: address, Err: u.Err}
	}
	switch {
	case status != nil:
		return fmt.Errorf("%w: %w", ofStatus(status.StatusCode), shorten(status))
	case errors.Is(err, ErrRedirect), errors.Is(err, ErrUnreachable), errors.Is(err, ErrTooLarge):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case isCertificate(err):
		if expired(err) {
			return fmt.Errorf("%w: %w: %w", ErrCertificate, ErrClock, err)
		}
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	case strings.Contains(err.Error(), "www-authenticate"), strings.Contains(err.Error(), "token in bearer response"):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// ofStatus maps an HTTP status to a sentinel.
func ofStatus(code int) error {
	switch code {
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return ErrUnreachable
	}
	if code >= http.StatusInternalServerError {
		return ErrUnreachable
	}
	return ErrRefused
}

// shorten makes a registry's error message fit on a line.
func shorten(e *transport.Error) error {
	text := strings.Join(strings.Fields(e.Error()), " ")
	if !strings.Contains(text, http.StatusText(e.StatusCode)) {
		text = fmt.Sprintf("%s (status %d)", clip(text), e.StatusCode)
	}
	return errors.New(clip(text))
}

func isCertificate(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		invalid      x509.CertificateInvalidError
		host         x509.HostnameError
		authority    x509.UnknownAuthorityError
		roots        x509.SystemRootsError
	)
	return errors.As(err, &verification) || errors.As(err, &invalid) || errors.As(err, &host) ||
		errors.As(err, &authority) || errors.As(err, &roots)
}

func expired(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

// joined is several errors on one line.
type joined []error

// Error returns the messages, the first one first.
func (j joined) Error() string {
	var lines []string
	for _, err := range j {
		lines = append(lines, err.Error())
	}
	return strings.Join(lines, "; then ")
}

// Unwrap returns the errors.
func (j joined) Unwrap() []error { return j }
