// Package wordnet holds 10,000 WordNet glosses and their embeddings, for demonstrations and tests. WordNet is a
// trademark of Princeton University; its licence is in LICENSE-WordNet.txt.
package wordnet

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/shale-search/shale/vector"
)

// The embeddings' shape.
const (
	Rows = 10000
	Dim  = 384
)

//go:embed wordnet-10k-minilm384.fp16.npy
var array string

//go:embed wordnet-10k.txt
var text string

//go:embed LICENSE-WordNet.txt
var license string

// License is the text that goes with every copy of the glosses.
func License() string { return license }

// Glosses gives the entries: words, a colon, their meaning.
func Glosses() []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// Vectors gives the embeddings, row i that of gloss i, normalised to length 1.
func Vectors() (vector.Matrix, error) {
	const size = 2 * Rows * Dim
	if !strings.HasPrefix(array, "\x93NUMPY") || len(array) < size+10 {
		return vector.Matrix{}, fmt.Errorf("wordnet: the embedded array is not a .npy of %d × %d float16: restore it from "+
			"version control", Rows, Dim)
	}
	payload := array[len(array)-size:] // the header before it says what the constants say
	halves := make([]uint16, Rows*Dim)
	for i := range halves {
		halves[i] = binary.LittleEndian.Uint16([]byte(payload[2*i : 2*i+2]))
	}
	return vector.Of(halves, Dim)
}
