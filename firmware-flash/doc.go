// Package flash writes one region of a firmware flash chip, and cannot brick
// the machine in doing so: what may go wrong is refused before the first
// erase, and what goes wrong later is put back or named exactly.
//
// The way is straight:
//
//	chip, err := flash.OpenFlashrom(ctx, options)    // or OpenMTD, OpenFile
//	old, err := flash.Read(ctx, chip, nil)           // twice, and compared
//	backup, err := old.Save("before.rom")            // with its SHA-256 beside it
//	plan, err := flash.NewPlan(chip, old, image, ..) // what would be written
//	err = plan.Apply(ctx, chip, backup, ..)          // written, read back, compared
//
// Trust is a type: a [Snapshot] is what was read twice alike, a [Backup] is
// what has been read back from disk, and [Plan.Apply] takes nothing else.
// Without the Save this is a dry run: print the plan or marshal it.
//
// # Order
//
// Erase blocks that do not change are not touched. The others are written one
// by one, each read back before the next, those of the header last. So a
// firmware that believes a slot only if its header matches the rest sees the
// old slot, or none, until the new one is complete. At the end every byte of
// the chip is compared with what the plan promised.
//
// # When something fails
//
// Every block is tried twice. Then the old contents are put back, and the
// [ApplyError] says so; if that fails too it lists which blocks are old, new
// and unknown. There is no journal: after a power cut open the backup, make
// the same plan from its snapshot, and apply it. To restore a chip by hand,
// apply a plan whose image is the backup's contents.
//
// # What is refused
//
// An image that is not of the chip's size, has no flash map, another one than
// the chip, or another board's identification; names that are in no map; a
// blank region; regions the running system was booted from; write protected
// blocks; erase blocks that hold bytes to keep, unless permitted; chips that
// read differently twice, or differ from the backup outside of what the plan
// writes. Nothing is written outside of the region, but for a shared block's
// own bytes, and no file is ever overwritten.
//
// # What is not promised
//
// Whether the new contents boot: that is for who made the image. That a block
// interrupted in its very last moment, which reads as complete, stays so; the
// last block of a plan is the only one that is not written again then.
// Protection that neither the chip nor its driver can report
// ([ProtectionUnknown]) shows when the block is read back.
package flash
