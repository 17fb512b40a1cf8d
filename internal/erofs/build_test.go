package erofs

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// memory is an image in memory whose unwritten bytes are not zero, so that
// nobody relies on a fresh file.
type memory struct {
	mu sync.Mutex
	b  []byte
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if grow := off + int64(len(p)) - int64(len(m.b)); grow > 0 {
		m.b = append(m.b, bytes.Repeat([]byte{0xaa}, int(grow))...)
	}
	return copy(m.b[off:], p), nil
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.b).ReadAt(p, off)
}

// builder makes images in tests.
type builder struct {
	tb  testing.TB
	mem memory
	*Writer
}

func newBuilder(tb testing.TB) *builder {
	b := &builder{tb: tb}
	b.Writer = NewWriter(&b.mem, time.Unix(1700000000, 5))
	return b
}

// file returns a regular file with size bytes that depend on seed.
func (b *builder) file(size int, seed byte) *Node {
	b.tb.Helper()
	data, err := b.File(bytes.NewReader(pattern(size, seed)), int64(size))
	if err != nil {
		b.tb.Fatal(err)
	}
	return &Node{Mode: Regular | 0o644, Data: data}
}

func (b *builder) close(root *Node) {
	b.tb.Helper()
	size, err := b.Close(root)
	if err != nil {
		b.tb.Fatal(err)
	}
	if size != int64(len(b.mem.b)) {
		b.tb.Fatalf("image size: expected %d as returned by Close, got %d", size, len(b.mem.b))
	}
}

func pattern(size int, seed byte) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = seed + byte(i) + byte(i>>8)
	}
	return p
}

func dir(children map[string]*Node) *Node {
	return &Node{Mode: Directory | 0o755, Mtime: time.Unix(1, 2), Children: children}
}
