package cli

import (
	"os"
	"syscall"
)

// flock takes the file's lock, or fails if another process has it.
func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
