//go:build !linux

package main

// adviseSmall does nothing: only Linux lets a program choose.
func adviseSmall([]byte) error { return nil }
