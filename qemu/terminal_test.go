//go:build vm

package qemu_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/qemu"
)

// openTerminal returns both ends of a pseudo-terminal: the person's and the
// program's.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// modes returns a terminal's modes.
func modes(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

// screen collects what a person sees.
type screen struct {
	mu   sync.Mutex
	seen bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Write(p)
}

func TestTerminal(t *testing.T) {
	for name, end := range map[string]func(vm *qemu.VM, person *os.File){
		"Kill":     func(vm *qemu.VM, _ *os.File) { vm.Kill() },
		"Ctrl-A x": func(_ *qemu.VM, person *os.File) { person.WriteString("\x01x") },
	} {
		t.Run(name, func(t *testing.T) { testTerminal(t, end) })
	}
}

func testTerminal(t *testing.T, end func(*qemu.VM, *os.File)) {
	person, program := openTerminal(t)
	before := modes(t, program)
	var seen screen
	o := guest(t, "do=echo")
	o.Terminal = &qemu.Terminal{In: program, Out: &seen}
	vm := qemu.StartT(t, o)
	vm.ExpectT(t, boot, `^guest: say> $`)
	if now := modes(t, program); now.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		t.Errorf("expected a raw terminal, got modes %#x", now.Lflag)
	}
	if err := vm.Send("x"); !errors.Is(err, qemu.ErrTerminal) {
		t.Errorf("send: expected %v, got %v", qemu.ErrTerminal, err)
	}
	if _, err := person.WriteString("typed\r"); err != nil {
		t.Fatal(err)
	}
	vm.ExpectT(t, soon, regexp.QuoteMeta(`guest: heard "typed\n"`))
	end(vm, person)
	vm.WaitT(t, soon, qemu.Killed)
	if after := modes(t, program); after != before {
		t.Errorf("the terminal's modes were not put back: %+v, before %+v", after, before)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if !bytes.Contains(seen.seen.Bytes(), []byte("guest: heard \"typed\\n\"\r\n")) {
		t.Errorf("the person saw %q", seen.seen.String())
	}
}
