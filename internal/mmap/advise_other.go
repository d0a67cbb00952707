//go:build unix && !linux

package mmap

const mapNoReserve = 0

func adviseHuge([]byte) {}
