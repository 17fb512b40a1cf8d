package erofs

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// FuzzTree builds trees from bytes: whatever Close accepts must read back.
func FuzzTree(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x05hello\x01\x03dir\x02\x01l\x04path\x06\x00\x07\x00"))
	f.Add([]byte("\x03\x01c\x08user.xyz\x20value\x05\x01f\x09\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			return
		}
		b := newBuilder(t)
		root := (&script{in: in, b: b}).directory(0)
		size, err := b.Close(root)
		if errors.Is(err, ErrNode) {
			return
		}
		if err != nil || size != int64(len(b.mem.b)) {
			t.Fatalf("close: %d bytes of %d, %v", size, len(b.mem.b), err)
		}
		compare(t, b.mem.b, root)
	})
}

// script turns bytes into a tree.
type script struct {
	in   []byte
	b    *builder
	last *Node // for hard links
	made int   // nodes so far
}

func (s *script) next() byte {
	if len(s.in) == 0 {
		return 0
	}
	c := s.in[0]
	s.in = s.in[1:]
	return c
}

func (s *script) text() string {
	n := min(int(s.next()), len(s.in))
	text := string(s.in[:n])
	s.in = s.in[n:]
	return text
}

func (s *script) directory(depth int) *Node {
	d := dir(map[string]*Node{})
	for len(s.in) > 0 {
		op := s.next()
		if op%8 == 7 {
			break
		}
		for k := range 1 + int(op/8)*int(op/8) { // up to about 1000 alike
			if s.made++; s.made > 2000 {
				return d
			}
			name := s.text()
			if k > 0 {
				name = fmt.Sprint(name, k)
			}
			if n := s.node(op%8, depth); n != nil {
				d.Children[name] = n
			}
		}
	}
	return d
}

func (s *script) node(kind byte, depth int) *Node {
	n := &Node{Mode: Regular | uint16(s.next())<<1, UID: uint32(s.next()) << 24, Mtime: time.Unix(int64(s.next())<<30, 0)}
	switch kind {
	case 0:
		n = s.b.file(int(s.next())*int(s.next()), s.next())
	case 1:
		if depth < 50 {
			return s.directory(depth + 1)
		}
	case 2:
		n.Mode, n.Target = Symlink|0o777, s.text()
	case 3:
		n.Mode, n.Rdev = CharDevice|0o600, Device{uint32(s.next()) << 4, uint32(s.next()) << 12}
	case 4:
		return s.last
	case 5:
		n.Xattrs = map[string]string{}
		for range s.next() % 16 {
			n.Xattrs[s.text()] = string(pattern(int(s.next())*(1+s.made%64), 0))
		}
	case 6:
		n.Mode = FIFO
	}
	s.last = n
	return n
}
