package crashfs

// Fault is a fault of one operation, the At-th counted from 1. The zero value is no fault.
type Fault struct {
	At   int
	Kind Kind
	Err  error // what the operation gives, and with Lasting those after it
	// Lasting, if not nil, makes every later operation fail for which it returns true.
	Lasting func(Op) bool
}

// Kind is the kind of a fault.
type Kind int

// The kinds of faults.
const (
	Fails   Kind = iota // the operation does nothing and gives an error
	Tears               // of a write half is done, and it gives an error; other operations fail
	Misled              // the operation is done, but gives an error
	Cut                 // the operation is done, and the power is cut
	TornCut             // of a write half is done, and the power is cut
)

func (k Kind) String() string {
	return [...]string{"fails", "tears", "is done but fails", "is the last one", "is half done and the last one"}[k]
}

// Op describes one operation.
type Op struct {
	Name    string // as the methods of vfs.FS and vfs.File are called
	Path    string
	Changes bool // whether it may change what is on the disk
}

func (o Op) String() string { return o.Name + " " + o.Path }

// IsWrite reports whether the operation can be done by half.
func (o Op) IsWrite() bool { return o.Name == "Write" || o.Name == "WriteAt" }

// TakesDescriptor reports whether the operation opens a file.
func (o Op) TakesDescriptor() bool {
	return o.Name == "Open" || o.Name == "OpenFile" || o.Name == "Unnamed" || o.Name == "ReadDir"
}

// TakesSpace reports whether the operation may need room on the disk.
func (o Op) TakesSpace() bool {
	switch o.Name {
	case "Write", "WriteAt", "Allocate", "Mkdir", "Link", "Rename", "Exchange", "Unnamed", "Create", "Sync", "Msync":
		return true
	}
	return false
}

// Any returns true for every operation, as for a disk that is gone.
func Any(Op) bool { return true }
