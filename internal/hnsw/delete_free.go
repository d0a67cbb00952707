package hnsw

// freeList holds the deleted elements whose slots may be taken over, the latest last. Each stands on it once.
type freeList struct {
	ids []uint32
	at  map[uint32]int // where an element stands in ids
}

func (f *freeList) add(id uint32) {
	if f.at == nil {
		f.at = make(map[uint32]int)
	}
	f.at[id] = len(f.ids)
	f.ids = append(f.ids, id)
}

// remove takes id off the list, if it is on it.
func (f *freeList) remove(id uint32) {
	i, ok := f.at[id]
	if !ok {
		return
	}
	last := len(f.ids) - 1
	f.ids[i] = f.ids[last]
	f.at[f.ids[i]] = i
	f.ids = f.ids[:last]
	delete(f.at, id)
}

// take takes the latest element off the list.
func (f *freeList) take() (uint32, bool) {
	if len(f.ids) == 0 {
		return 0, false
	}
	id := f.ids[len(f.ids)-1]
	f.remove(id)
	return id, true
}
