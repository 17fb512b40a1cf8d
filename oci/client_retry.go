package oci

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Ceilings of the pause between two tries.
const (
	maxBackoff    = 10 * time.Second
	maxRetryAfter = 30 * time.Second
)

// retry calls try until it succeeds or another try is of no use. Every try
// has its own deadline.
func (c *Client) retry(ctx context.Context, what string, tries int, try func(context.Context) error) error {
	for n := 1; ; n++ {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, c.tryTimeout())
			defer cancel()
			return try(ctx)
		}()
		if err == nil || n >= tries || !errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
			return err
		}
		if err := c.pause(ctx, Retry{What: what, Try: n, Tries: tries, Err: err}); err != nil {
			return err
		}
	}
}

// pause waits before the next try: twice as long after each, with jitter, but
// at least as long as the registry asked for.
func (c *Client) pause(ctx context.Context, r Retry) error {
	base := c.Backoff
	if base <= 0 {
		base = defaultBackoff
	}
	wait := min(base<<min(r.Try-1, 10), maxBackoff)
	wait = wait/2 + rand.N(wait)
	var busy *busyError
	if errors.As(r.Err, &busy) {
		wait = max(wait, busy.after)
	}
	r.Wait = wait
	if c.OnRetry != nil {
		c.OnRetry(r)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// busyError says when the registry wants to be asked again.
type busyError struct {
	error
	after time.Duration
}

// Unwrap returns the error itself.
func (b *busyError) Unwrap() error { return b.error }

func withRetryAfter(err error, h http.Header) error {
	seconds, parseErr := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if parseErr != nil || !errors.Is(err, ErrUnreachable) {
		return err
	}
	return &busyError{err, min(time.Duration(seconds)*time.Second, maxRetryAfter)}
}
