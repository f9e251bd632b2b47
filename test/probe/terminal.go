package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// converse says who it is and how large its terminal is, again when that changes, and answers each line of input; "exit N" ends it.
func converse(string) error {
	say := func() { fmt.Printf("uid %d, size %s\n", os.Getuid(), terminalSize()) }
	say()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGINT)
	go func() {
		for s := range signals {
			if s == syscall.SIGINT {
				fmt.Println("interrupted")
				continue
			}
			say()
		}
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if code, ok := strings.CutPrefix(in.Text(), "exit "); ok {
			return exit(code)
		}
		fmt.Printf("heard %q\n", in.Text())
	}
	fmt.Println("end of input")
	return nil
}

// terminalSize is "COLSxROWS", or why there is none.
func terminalSize() string {
	var size [4]uint16 // rows, columns, and pixels
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, 1, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size))); e != 0 {
		return e.Error()
	}
	return fmt.Sprintf("%dx%d", size[1], size[0])
}

// flood writes so many MiB: numbers of 64 characters, without ends of lines, which a terminal would change.
func flood(mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<16)
	for i := range n << 20 / 64 {
		fmt.Fprintf(w, "%s%08d", strings.Repeat(".", 56), i)
	}
	return w.Flush()
}

// lines writes so many MiB: lines of 128 bytes, "N " with N = 0, 1, 2 ... and dots.
func lines(mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<16)
	for i := range n << 20 / 128 {
		fmt.Fprintf(w, "%010d %s\n", i, strings.Repeat(".", 116))
	}
	return w.Flush()
}
