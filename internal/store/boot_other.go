//go:build unix && !linux

package store

// bootID names the time since the system was started, if that has a name.
func bootID() string { return "" }
