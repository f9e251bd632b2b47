// Command probe is the one program in the images of the conformance scripts. It does what its arguments say, one after
// the other (verb=value), so that a script's task definition reads as what the task does, and ends with 0 after the last.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	for _, arg := range os.Args[1:] {
		verb, value, _ := strings.Cut(arg, "=")
		do, ok := verbs[verb]
		if !ok {
			do = func(string) error { return fmt.Errorf("unknown verb") }
		}
		if err := do(value); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", arg, err)
			os.Exit(99)
		}
	}
}

// verbs are what probe can do; each takes the text after its equals sign.
var verbs = map[string]func(string) error{
	"print":  func(text string) error { fmt.Println(text); return nil },
	"env":    func(name string) error { fmt.Printf("%s=%s\n", name, os.Getenv(name)); return nil },
	"exit":   exit,
	"wait":   wait,
	"sleep":  sleep,
	"ignore": func(string) error { signal.Ignore(syscall.SIGTERM); return nil },
	"eat":    eat,
	"serve":  serve,
}

func exit(code string) error {
	n, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	os.Exit(n)
	return nil
}

// wait waits for SIGTERM, or for ever if that is ignored, and exits with the code.
func wait(code string) error {
	if signal.Ignored(syscall.SIGTERM) {
		time.Sleep(1<<63 - 1) // select {} would be a deadlock, says the runtime
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	<-c
	return exit(code)
}

func sleep(d string) error {
	t, err := time.ParseDuration(d)
	time.Sleep(t)
	return err
}

// eat takes so many MiB of memory and touches every page.
func eat(mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	b := make([]byte, n<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	fmt.Println("ate", len(b)>>20, "MiB")
	return nil
}

// serve answers every HTTP request at an address with the container's host name, in the background.
func serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { // ends with the process
		fmt.Fprintln(os.Stderr, http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			name, _ := os.Hostname()
			fmt.Fprintln(w, name)
		})))
	}()
	return nil
}
