package location

import (
	"fmt"
	"strings"

	"github.com/shale-search/shale/internal/shard"
)

// ShardPrefix starts the names of all files of shards.
const ShardPrefix = "shard-"

// ShardName returns the name of the file of the first shard that a save writes, the generation-th.
func ShardName(generation int) string { return fmt.Sprintf("%s0.%06d.shale", ShardPrefix, generation) }

// IsShardFile reports whether name is that of a file of a shard, or of one that lies beside the shards since they were
// built.
func IsShardFile(name string) bool {
	return strings.HasPrefix(name, ShardPrefix) && shard.IsIndexFile(name) || shard.IsChangeFile(name)
}
