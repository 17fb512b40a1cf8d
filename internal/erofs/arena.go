package erofs

// openBlocks is how many partly filled blocks are kept for smaller items.
const openBlocks = 16

// arena hands out places in the inode area. Inlined data must not cross a
// block, so blocks get left with room at their end; the arena fills it with
// the items that follow.
type arena struct {
	end  int64 // a multiple of blockSize
	open []gap // room at the end of recent blocks
}

type gap struct{ at, room int64 }

// newArena leaves slot 0 free: user space takes inode number 0 for "deleted".
func newArena() *arena {
	return &arena{end: blockSize, open: []gap{{slotSize, blockSize - slotSize}}}
}

// place returns an offset for core bytes followed by inline bytes, such that
// the inline bytes share one block, and so does everything if it can.
func (a *arena) place(core, inline int64) int64 {
	size := core + inline
	if size > blockSize {
		return a.placeLong(core, inline)
	}
	for i, g := range a.open {
		if size <= g.room {
			a.open[i] = rest(g.at+size, g.at+g.room)
			return g.at
		}
	}
	at := a.end
	a.end += blockSize
	a.keep(rest(at+size, a.end))
	return at
}

// placeLong is place for items over one block. Only their attributes may
// cross a block boundary: they start later if the inline bytes would.
func (a *arena) placeLong(core, inline int64) int64 {
	at := a.end
	if over := core % blockSize; over+inline > blockSize {
		at += roundUp(blockSize-over, slotSize)
	}
	a.end = roundUp(at+core+inline, blockSize)
	a.keep(rest(at+core+inline, a.end))
	return at
}

// rest is the gap between used and end, starting at a slot.
func rest(used, end int64) gap {
	at := roundUp(used, slotSize)
	return gap{at, end - at}
}

// keep remembers a gap, in place of the smallest one if there are many.
func (a *arena) keep(g gap) {
	if len(a.open) < openBlocks {
		a.open = append(a.open, g)
		return
	}
	smallest := 0
	for i := range a.open {
		if a.open[i].room < a.open[smallest].room {
			smallest = i
		}
	}
	if g.room > a.open[smallest].room {
		a.open[smallest] = g
	}
}
