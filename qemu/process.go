package qemu

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// process is a running QEMU and this side of its pipes.
type process struct {
	cmd     *exec.Cmd
	input   *os.File // the console's input; nil with a terminal
	output  *os.File
	control net.Conn
	exited  chan struct{} // closed when cmd.ProcessState is there
}

// controlArgs adds the control channel on file descriptor 3 and holds the
// processors until somebody listens to it. It is an inherited socket because
// a path would have to fit into 108 bytes.
func controlArgs() []string {
	return []string{"-chardev", "socket,id=control,fd=3", "-mon", "chardev=control,mode=control", "-S"}
}

// launch starts QEMU.
func launch(args []string, o Options) (*process, error) {
	path, err := exec.LookPath(o.Binary)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoQEMU, err)
	}
	p := &process{cmd: exec.Command(path, append(args, controlArgs()...)...), exited: make(chan struct{})}
	p.cmd.SysProcAttr = processAttributes(o.Terminal != nil)
	theirs, err := p.plumb(o)
	defer closeAll(theirs)
	if err == nil {
		err = p.start()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// plumb connects QEMU's descriptors. It returns the files that only QEMU
// needs, to be closed here once it runs.
func (p *process) plumb(o Options) (theirs []*os.File, err error) {
	if o.Terminal != nil {
		p.cmd.Stdin = o.Terminal.In
	} else {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, err
		}
		p.cmd.Stdin, p.input, theirs = r, w, append(theirs, r)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return theirs, err
	}
	p.cmd.Stdout, p.output, theirs = w, r, append(theirs, w)
	messages, err := os.Create(filepath.Join(o.Dir, ErrorsFile))
	if err != nil {
		return theirs, err
	}
	p.cmd.Stderr, theirs = messages, append(theirs, messages)
	ours, control, err := socketpair()
	if err != nil {
		return theirs, err
	}
	p.control, p.cmd.ExtraFiles, theirs = ours, []*os.File{control}, append(theirs, control)
	return theirs, nil
}

// start runs the command. The death signal is tied to the thread that forks,
// so one thread is kept for as long as the process lives.
func (p *process) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait() // its result is in ProcessState
			close(p.exited)
		}
	}()
	return <-started
}

// close closes this side of the pipes.
func (p *process) close() {
	closeAll([]*os.File{p.input, p.output})
	if p.control != nil {
		p.control.Close()
	}
}

// peakRSS returns the most memory the process held, once it has exited.
func (p *process) peakRSS() int64 {
	if usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return int64(usage.Maxrss) * rssUnit
	}
	return 0
}

// socketpair returns two connected stream sockets: one for us, one to inherit.
func socketpair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	conn, err := net.FileConn(mine)
	if err = errors.Join(err, mine.Close()); err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return conn, theirs, nil
}

// closeAll closes what is open.
func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
