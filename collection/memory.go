package collection

import "cmp"

const (
	leastMemory  = 256 << 20
	presetMemory = 512 << 20 // that is divided if Options.Memory is 0

	// mostDefaultRows and leastDefaultRows bound what SegmentRows is by default: a scan of 20,000 rows takes about a
	// millisecond.
	mostDefaultRows  = 20_000
	leastDefaultRows = 500
)

// divideMemory sets what of the memory is given to the store.
func (o *Options) divideMemory() error {
	if o.Memory != 0 && o.Memory < leastMemory {
		return invalidf("Memory is %d bytes, at least %d are needed", o.Memory, int64(leastMemory))
	}
	if o.CacheBytes < 0 {
		return invalidf("CacheBytes is %d, below 0", o.CacheBytes)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = o.memory() / 16
	}
	return nil
}

func (o *Options) memory() int64 {
	if o.Memory == 0 {
		return presetMemory
	}
	return o.Memory
}

// store returns how the store is opened. Pebble holds two or three tables of changes in memory, and as many logs.
func (o *Options) store() storeOptions {
	memtable := uint64(min(max(o.memory()/64, 1<<20), 64<<20))
	return storeOptions{cache: o.CacheBytes, memtable: memtable, disk: o.storeDisk}
}

// chooseSegmentRows sets SegmentRows, if it is 0, such that the segments in memory take an eighth of it.
func (o *Options) chooseSegmentRows(s Schema) {
	if o.SegmentRows != 0 {
		return
	}
	var bytes int64
	for _, v := range s.Vectors {
		bytes += flatBytes(v.Dim)
	}
	rows := o.memory() / 8 / (mostFrozen + 1) / bytes
	o.SegmentRows = int(min(max(rows, leastDefaultRows), mostDefaultRows))
}

// mergeBytes returns the memory that a merge may take, the program included; 0: any.
func (o *Options) mergeBytes() int64 {
	if o.mergeMemory != 0 || o.Memory == 0 {
		return o.mergeMemory
	}
	return max(o.Memory*7/16, leastMemory/2)
}

// apart returns how many values the largest index has whose rows are mapped: an eighth of the memory holds them at a
// byte each. 0: any. The rows of small segments are few among those that a search compares.
func (o *Options) apart() int64 { return cmp.Or(o.apartAbove, o.Memory/8) }

// pinBytes returns the memory for links and codes of sealed segments: all that searches read often. Without a bound
// they are left to the page cache.
func (o *Options) pinBytes() int64 { return o.Memory / 2 }
