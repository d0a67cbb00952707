package shard

// Pin copies what walks read of mapped shards into memory, of as many shards as room has bytes for, and before that the
// routing with its rows, which each search reads. It returns the bytes that the copies take. Close frees them.
func (x *Index) Pin(room int64) (bytes int64, err error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.router != nil {
		if bytes, err = x.router.pin(room); err != nil {
			return bytes, err
		}
	}
	for _, p := range x.parts {
		need, err := p.PinBytes()
		if err != nil {
			return bytes, err
		}
		if need == 0 || bytes+need > room {
			continue
		}
		if err := p.Pin(); err != nil {
			return bytes, err
		}
		bytes += need
	}
	return bytes, nil
}

// pin copies the routing into memory if room has bytes for it, and returns those that the copy takes.
func (r *router) pin(room int64) (bytes int64, err error) {
	if bytes, err = r.index.PinAllBytes(); err != nil || bytes > room {
		return 0, err
	}
	return bytes, r.index.PinAll()
}

// ReadAhead begins to read what walks need of mapped shards. Walks would read it page by page.
func (x *Index) ReadAhead() error {
	x.using.RLock()
	defer x.using.RUnlock()
	for _, p := range x.parts {
		if err := p.ReadAhead(); err != nil {
			return err
		}
	}
	return nil
}
