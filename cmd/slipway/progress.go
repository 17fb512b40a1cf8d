package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
)

const (
	redraw   = 100 * time.Millisecond
	barWidth = 24
)

// progress draws all transfers of blobs as one bar, which fits on a line of
// 80 characters.
type progress struct {
	w io.Writer

	mu          sync.Mutex
	start       time.Time // of the first blob
	drawn       time.Time
	done, total map[string]int64
}

// showProgress draws c's transfers on w if that is a terminal. The returned
// function clears the line.
func showProgress(c *oci.Client, w io.Writer) func() {
	if !isTerminal(w) {
		return func() {}
	}
	p := &progress{w: w, done: map[string]int64{}, total: map[string]int64{}}
	c.Progress = p.update
	return func() { fmt.Fprint(w, "\r\x1b[K") }
}

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *progress) update(u oci.Progress) {
	if _, err := oci.ParseDigest(u.What); err != nil {
		return // a document: too small to wait for
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[u.What], p.total[u.What] = u.Done, u.Total
	now := time.Now()
	if p.start.IsZero() {
		p.start = now
	}
	if now.Sub(p.drawn) < redraw {
		return
	}
	p.drawn = now
	fmt.Fprint(p.w, "\r"+bar(sum(p.done), sum(p.total), now.Sub(p.start))+"\x1b[K")
}

func sum(sizes map[string]int64) (n int64) {
	for _, size := range sizes {
		n += size
	}
	return n
}

// bar draws how far done is on its way to total.
func bar(done, total int64, since time.Duration) string {
	fill := barWidth
	if done < total {
		fill = int(done * barWidth / total)
	}
	text := fmt.Sprintf("fetching [%s%s] %s of %s", strings.Repeat("#", fill), strings.Repeat(".", barWidth-fill), bootlog.Bytes(done), bootlog.Bytes(total))
	if since > time.Second {
		text += fmt.Sprintf(", %s/s", bootlog.Bytes(int64(float64(done)/since.Seconds())))
	}
	return text
}
