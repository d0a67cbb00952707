//go:build unix && !linux

package mmap

const mapNoReserve = 0 // memory that isn't used is never held back
