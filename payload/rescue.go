package payload

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/pid1"
	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/payload/config"
)

// maxBackOff is the longest wait between two rounds.
const maxBackOff = 5 * time.Minute

// jumpStep is the step after which the network is gone.
const jumpStep = bootlog.Steps

// Rescue decides, alone, what happens after Boot has failed: the next
// reference, another round after a wait, or the end of this machine's life.
// It returns what the next attempt starts from; if there is none it does not
// return.
func Rescue(ctx context.Context, cfg *Config, err error, log *bootlog.Log) *Config {
	conf := cfg.Conf
	if conf == nil { // it failed before or at the configuration itself
		conf = config.Defaults()
		conf.Attempts = 1
	}
	next := *cfg
	next.Tried = append(next.Tried, tried(cfg, conf, err))
	var f *Failure
	afterJump := errors.As(err, &f) && f.N == jumpStep
	switch {
	case afterJump:
	case networkDown(f):
		next.Index, next.Round = 0, cfg.Round+1
	case cfg.Index+1 < len(conf.Candidates()):
		next.Index++
		log.Printf("trying the next reference: %s", conf.Candidates()[next.Index])
		return &next
	default:
		next.Index, next.Round = 0, cfg.Round+1
	}
	if !afterJump && next.Round < conf.Attempts {
		wait := backOff(conf.Wait, next.Round)
		log.Printf("round %d of %d in %s", next.Round+1, conf.Attempts, wait)
		sleep(ctx, wait)
		return &next
	}
	giveUp(ctx, conf, log)
	return nil
}

// networkDown reports whether no reference can be reached, so that trying the
// next one is pointless.
func networkDown(f *Failure) bool { return f != nil && f.N == 1 }

// backOff doubles the wait each round.
func backOff(first time.Duration, round int) time.Duration {
	wait := first
	for range round - 1 {
		if wait = min(wait*2, maxBackOff); wait == maxBackOff {
			break
		}
	}
	return wait
}

func tried(cfg *Config, conf *config.Config, err error) report.Candidate {
	c := report.Candidate{Error: err.Error()}
	if cfg.Index < len(conf.Candidates()) {
		c.Reference = conf.Candidates()[cfg.Index]
	}
	var f *Failure
	if errors.As(err, &f) {
		c.Step, c.Error = f.Step, f.Err.Error()
	}
	return c
}

// giveUp ends the machine as configured. The kernel refusing to do so is
// tried again for ever: there is nothing else left.
func giveUp(ctx context.Context, conf *config.Config, log *bootlog.Log) {
	log.Printf("giving up: %s in %s", conf.AfterFailure, conf.Wait)
	sleep(ctx, conf.Wait)
	for {
		if err := pid1.End(conf.AfterFailure); err != nil {
			log.Printf("error: %v", err)
		}
		time.Sleep(conf.Wait)
	}
}
