// Package inside gives other packages of the module the graph of a shale.Index, for what only they need: the C interface
// hands its memory to forked processes.
package inside

import "github.com/shale-search/shale/internal/hnsw"

// GraphOf returns the graph that a *shale.Index is, or nil if it is another kind of index. IndexOf returns a *shale.Index
// of a graph, which it takes over. ConfigOf returns the configuration of the graphs of a *shale.Index. Package shale sets
// all of them.
var (
	GraphOf  func(index any) *hnsw.Index
	ConfigOf func(index any) hnsw.Config
	IndexOf  func(graph *hnsw.Index) any
)
