package shard

import "io/fs"

// checkOwner refuses nothing: access lists say who may change what a build left.
func checkOwner(string, fs.FileInfo) error { return nil }
