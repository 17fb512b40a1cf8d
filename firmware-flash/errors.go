package flash

import (
	"errors"
	"fmt"
	"strings"
)

// One sentinel for each decision a caller can take. Every error of this
// package wraps one of them, an error of the operating system or a context's
// error; test with errors.Is.
var (
	// ErrGeometry: the chip's size or erase size is unusable, or a call lies
	// outside of the chip or off the erase grid.
	ErrGeometry = errors.New("impossible chip geometry")
	// ErrUnstable: the chip read differently twice. Check clip and wiring.
	ErrUnstable = errors.New("two reads of the chip differ")
	// ErrBusy: an operation did not end in time.
	ErrBusy = errors.New("chip stays busy")
	// ErrTool: the external program is missing or failed.
	ErrTool = errors.New("external program")
	// ErrBackup: a backup file is damaged, or not the one of this plan.
	ErrBackup = errors.New("unusable backup")
	// ErrImage: the image cannot be one for this chip.
	ErrImage = errors.New("unusable image")
	// ErrLayout: chip or image has no usable flash map, or theirs differ.
	ErrLayout = errors.New("flash layout")
	// ErrBoard: the image was built for another board.
	ErrBoard = errors.New("image of another board")
	// ErrRegion: no such region or file.
	ErrRegion = errors.New("unknown region")
	// ErrActive: the running system boots from what would be written.
	ErrActive = errors.New("region is in use")
	// ErrShared: an erase block holds both bytes to write and bytes to keep.
	ErrShared = errors.New("erase block is shared")
	// ErrProtected: the chip refuses to change these bytes.
	ErrProtected = errors.New("write protected")
	// ErrPlan: the plan was not made by NewPlan, or for another chip.
	ErrPlan = errors.New("unusable plan")
	// ErrChanged: the chip is no longer the one that the plan was made from.
	ErrChanged = errors.New("chip has changed since the backup")
	// ErrVerify: the chip does not hold what was written.
	ErrVerify = errors.New("read back differs")
	// ErrOutside: bytes that must not change have changed.
	ErrOutside = errors.New("bytes outside of the region changed")
)

// State says what the blocks that a plan changes hold. Blocks that are the
// same before and after are in none of the lists.
type State struct {
	Old     []Range `json:"old,omitempty"`     // as before the write
	New     []Range `json:"new,omitempty"`     // as planned
	Unknown []Range `json:"unknown,omitempty"` // neither, or unreadable
}

// String returns "old …; new …; unknown …" without the empty ones.
func (s State) String() string {
	var parts []string
	for _, p := range []struct {
		word   string
		ranges []Range
	}{{"old", s.Old}, {"new", s.New}, {"unknown", s.Unknown}} {
		if len(p.ranges) > 0 {
			parts = append(parts, p.word+" "+joinRanges(p.ranges))
		}
	}
	return strings.Join(parts, "; ")
}

// ApplyError is a write that failed after it began. Nothing outside of the
// plan's blocks was written, whatever else it says.
type ApplyError struct {
	Region     string  // what was to be written
	Err        error   // what went wrong
	Restored   bool    // the chip is byte for byte as before
	RestoreErr error   // why not; nil if nobody tried
	State      State   // what is on the chip, if not restored
	Outside    []Range // what changed outside, and not by this package
}

// Error returns one line: what failed and what is on the chip now.
func (e *ApplyError) Error() string {
	text := fmt.Sprintf("write %s: %v", e.Region, e.Err)
	if e.Restored {
		return text + "; the old contents are back, every byte compared"
	}
	if e.RestoreErr != nil {
		text += fmt.Sprintf("; restoring the backup: %v", e.RestoreErr)
	}
	if s := e.State.String(); s != "" {
		text += "; on the chip now: " + s
	}
	if len(e.Outside) > 0 {
		text += "; changed outside of the region: " + joinRanges(e.Outside)
	}
	return text
}

// Unwrap returns the causes.
func (e *ApplyError) Unwrap() []error {
	out := []error{e.Err}
	if e.RestoreErr != nil {
		out = append(out, e.RestoreErr)
	}
	return out
}
