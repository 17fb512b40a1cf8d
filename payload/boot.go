package payload

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/payload/config"
)

// Config is what one attempt starts from. The first has only FS; Rescue adds
// what the next one needs to know.
type Config struct {
	FS    fs.FS              // the payload's initramfs, rooted at /
	Conf  *config.Config     // as read by the last attempt; nil before that
	Index int                // which of Conf.Candidates to boot
	Round int                // how often all candidates have failed
	Tried []report.Candidate // what failed so far
}

// Deadlines of the steps that wait for the network. They are ceilings against
// hanging; what is normal is far below them.
const (
	fetchLimit   = 5 * time.Minute
	extractLimit = 30 * time.Minute
)

// Boot takes the machine from the payload's kernel to the boot image's. It
// returns only if that failed, with a *Failure that is already on the console.
func Boot(ctx context.Context, cfg *Config, log *bootlog.Log) error {
	m := &machine{cfg: cfg, log: log}
	if err := m.bringUp(ctx); err != nil {
		return err
	}
	signed, err := m.fetch(ctx)
	if err != nil {
		return err
	}
	image, err := m.verify(signed)
	if err != nil {
		return err
	}
	bundle, err := m.extract(ctx, image)
	if err != nil {
		return err
	}
	files, err := m.handOff(bundle)
	if err != nil {
		return err
	}
	loaded, err := m.load(files)
	if err != nil {
		return err
	}
	return m.jump(loaded)
}

// Failure says at which step an attempt ended.
type Failure struct {
	N    int    // 1 to bootlog.Steps
	Step string // its name
	Err  error
}

// Error is the step's name and the cause.
func (f *Failure) Error() string { return f.Step + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// step is one of the seven while it runs: its console line, and its name for
// a Failure.
type step struct {
	*bootlog.Step
	m    *machine
	n    int
	name string
}

func (m *machine) begin(n int, name string) *step {
	return &step{Step: m.log.Step(n, name), m: m, n: n, name: name}
}

// end turns the error a step returns into a Failure and prints it with its
// hint. It is deferred by every step.
func (s *step) end(err *error) {
	s.m.watchMemory()
	if *err != nil {
		fallback := fmt.Sprintf("docs/boot-sequence.md, section %d, says what this step needs", s.n)
		s.Fail(*err, cmp.Or(Hint(*err), fallback))
		*err = &Failure{N: s.n, Step: s.name, Err: *err}
	}
}
