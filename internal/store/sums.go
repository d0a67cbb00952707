package store

import "hash/crc32"

// SumBlock is the number of bytes of the vectors section that have a checksum of their own. The section starts at a
// multiple of it.
const SumBlock = 4096

// blocks returns the number of checksums of the given number of bytes.
func blocks(n int64) int64 { return (n + SumBlock - 1) / SumBlock }

// SumOf returns the checksum of a block of rows, as the sums section stores it.
func SumOf(block []byte) uint32 { return checksum(block) }

// blockSums computes the checksums of what is written to it, block by block.
type blockSums struct {
	done []uint32
	crc  uint32
	n    int // bytes of the present block
}

// Write implements io.Writer.
func (s *blockSums) Write(b []byte) (int, error) {
	written := len(b)
	for len(b) > 0 {
		part := b[:min(len(b), SumBlock-s.n)]
		s.crc = crc32.Update(s.crc, castagnoli, part)
		if s.n += len(part); s.n == SumBlock {
			s.end()
		}
		b = b[len(part):]
	}
	return written, nil
}

func (s *blockSums) end() {
	s.done = append(s.done, s.crc)
	s.crc, s.n = 0, 0
}

// all returns the checksums of everything that was written.
func (s *blockSums) all() []uint32 {
	if s.n > 0 {
		s.end()
	}
	return s.done
}
