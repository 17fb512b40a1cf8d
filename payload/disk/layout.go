package disk

import "fmt"

const (
	sectorSize = 512
	mebibyte   = 1 << 20

	// margin is kept free before the partition, which aligns it, and behind it
	// for the second copy of the partition table.
	margin = mebibyte

	minSize = 48 * mebibyte   // of the partition: FAT32 starts at 65525 clusters
	maxSize = 4096 * mebibyte // of the partition

	// FAT32 as the writer lays it out.
	reservedSectors = 32
	smallClusters   = 260 * mebibyte // up to here clusters are one sector
	fatEntry        = 4              // bytes
	minClusters     = 65525          // fewer, and a driver takes it for FAT16
)

// partitionSize chooses a size for content of so many bytes: room for all of it
// twice, so that an update can be put beside what it replaces.
func partitionSize(content int64) (int64, error) {
	for size := int64(minSize); size <= maxSize; size += mebibyte {
		if size >= 2*content+4*mebibyte && sound(size) {
			return size, nil
		}
	}
	return 0, fmt.Errorf("disk: %w: expected at most %d MiB of files, got %d MiB", ErrTooLarge, maxSize/mebibyte/2, content/mebibyte)
}

// sound reports whether the FATs of a partition of this size can hold all its
// clusters. go-diskfs forgets that the first two FAT entries stand for no
// cluster, so that of some sizes (64 MiB, for one) fsck.fat complains.
func sound(size int64) bool {
	perCluster := int64(1)
	if size > smallClusters {
		perCluster = 8
	}
	sectors := size/sectorSize - reservedSectors
	denominator := sectorSize*perCluster + 2*fatEntry
	fat := (fatEntry*sectors + denominator - 1) / denominator
	clusters := (sectors - 2*fat) / perCluster
	return clusters >= minClusters && fat*sectorSize/fatEntry >= clusters+2
}
