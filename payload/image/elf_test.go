package image

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

func newBuffered(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

// markDynamic turns the last program header of an ELF file into PT_INTERP.
func markDynamic(t *testing.T, program []byte) {
	t.Helper()
	le := binary.LittleEndian
	at, size, n := le.Uint64(program[32:]), uint64(le.Uint16(program[54:])), uint64(le.Uint16(program[56:]))
	le.PutUint32(program[at+size*(n-1):], uint32(elf.PT_INTERP))
}

// head returns the first page of a program, which passes for one: tests that are
// not about the program save the time to compress it.
func head(program []byte) []byte {
	b := bytes.Clone(program[:4096])
	clear(b[40:48]) // offset of the section headers
	clear(b[58:64]) // their size, number, and index of names
	return b
}
