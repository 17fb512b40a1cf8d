package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Ceilings of reading a blob.
const (
	blobBuffer = 64 << 10
	maxCuts    = 64 // of one blob, each with some progress
)

// Blob returns the raw bytes of one of img's layers, at most size of them.
// They are not verified: the caller hashes them. A connection that is cut or
// silent for TryTimeout is taken up again where it ended; errors of Read wrap
// the same sentinels as those of Fetch. Closing early is allowed.
func (c *Client) Blob(ctx context.Context, img *Image, d Digest, size int64) (io.ReadCloser, error) {
	if img.IsZero() {
		return nil, fmt.Errorf("blob %s: %w: the image was not verified", d, ErrUnsigned)
	}
	if _, err := ParseDigest(string(d)); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	if size < 0 || size > maxLayerSize {
		return nil, fmt.Errorf("blob %s: %w: expected a size from 0 to %d, got %d", d, ErrTooLarge, int64(maxLayerSize), size)
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	go func() {
		defer cancel()
		err := c.pump(ctx, &blobStream{img.sources, d, size, 0}, w)
		if err != nil {
			err = fmt.Errorf("blob %s: %w", d, err)
		}
		w.CloseWithError(err)
	}()
	return &blobReader{r, cancel}, nil
}

// blobReader stops the transfer when it is closed.
type blobReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *blobReader) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// blobStream is how far a blob has come.
type blobStream struct {
	sources []endpoint
	digest  Digest
	size    int64
	done    int64
}

// pump writes the blob to w, from the first source that has it, and goes on
// with the next where one ends.
func (c *Client) pump(ctx context.Context, b *blobStream, w io.Writer) error {
	var failed joined
	for i, e := range b.sources {
		err := c.pumpFrom(ctx, b, e, w)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if i < len(b.sources)-1 {
			err = fmt.Errorf("%s: %w", e, err)
		}
		failed = append(failed, err)
	}
	return failed
}

// pumpFrom writes the rest of the blob to w, in as many pieces as it takes,
// as long as there is progress.
func (c *Client) pumpFrom(ctx context.Context, b *blobStream, e endpoint, w io.Writer) error {
	what := urlOf(e, "blobs/"+string(b.digest))
	for try, cuts := 1, 0; b.done < b.size; try++ {
		before := b.done
		err := c.piece(ctx, b, e, w)
		if err == nil {
			continue
		}
		if b.done > before {
			try, cuts = 1, cuts+1
		}
		if !errors.Is(err, ErrUnreachable) || try >= c.tries() || cuts >= maxCuts || ctx.Err() != nil {
			return err
		}
		if err := c.pause(ctx, Retry{What: what, Try: try, Tries: c.tries(), Err: err}); err != nil {
			return err
		}
	}
	return nil
}

// piece makes one request for the rest of the blob and copies until its end.
func (c *Client) piece(ctx context.Context, b *blobStream, e endpoint, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.tryTimeout(), func() { cancel(errStalled) })
	defer watchdog.Stop()

	r := call{path: "blobs/" + string(b.digest)}
	if b.done > 0 {
		r.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", b.done, b.size-1)}}
		r.accept = []int{http.StatusOK, http.StatusPartialContent}
	}
	resp, err := c.do(ctx, e, r)
	if err != nil {
		return c.stalled(ctx, b, err)
	}
	defer resp.Body.Close()
	skip, err := b.begin(resp)
	if err != nil {
		return err
	}
	buffer := make([]byte, blobBuffer)
	for b.done < b.size {
		want := min(int64(len(buffer)), max(skip, 0)+b.size-b.done)
		watchdog.Reset(c.tryTimeout())
		n, err := resp.Body.Read(buffer[:want])
		watchdog.Stop() // a slow consumer is no stall
		fresh := buffer[min(skip, int64(n)):n]
		skip -= int64(n - len(fresh))
		if len(fresh) > 0 {
			if _, err := w.Write(fresh); err != nil {
				return err
			}
			b.done += int64(len(fresh))
			c.progress(string(b.digest), b.done, b.size)
		}
		if err != nil && b.done < b.size {
			return c.stalled(ctx, b, fmt.Errorf("%w: cut after %d of %d bytes: %w", ErrUnreachable, b.done, b.size, err))
		}
	}
	return nil
}

// begin checks that the answer is the rest of the blob, and returns how many
// bytes are to be skipped because the server does not know ranges.
func (b *blobStream) begin(resp *http.Response) (skip int64, err error) {
	if resp.StatusCode == http.StatusPartialContent {
		got := resp.Header.Get("Content-Range")
		if !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", b.done)) {
			return 0, fmt.Errorf("%w: asked for bytes from %d, got %q", ErrRefused, b.done, clip(got))
		}
		return 0, nil
	}
	switch got := resp.ContentLength; {
	case got > b.size:
		return 0, fmt.Errorf("%w: expected %d bytes, the registry has %d", ErrTooLarge, b.size, got)
	case got >= 0 && got < b.size:
		return 0, fmt.Errorf("%w: expected %d bytes, the registry has %d", ErrDigestMismatch, b.size, got)
	}
	return b.done, nil
}

// errStalled is why a watchdog ends a piece.
var errStalled = errors.New("stalled")

// stalled says so where the watchdog was the reason for err.
func (c *Client) stalled(ctx context.Context, b *blobStream, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("%w: nothing came for %s, after %d of %d bytes", ErrUnreachable, c.tryTimeout(), b.done, b.size)
	}
	return err
}
