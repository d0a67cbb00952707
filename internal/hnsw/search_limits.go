package hnsw

import "math"

// maxRows is the number of rows that ids of 31 bits allow: a candidate's mark takes the 32nd.
const maxRows = math.MaxInt32
