// Command probe is the one program in the images of the end-to-end tests. It does what its arguments say, one after the
// other (verb=value), so that a test's task definition reads as what the task does. Unless told otherwise by exit or a
// signal it ends with 0 after the last one.
package main

import (
	"fmt"
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
	"stderr": func(text string) error { fmt.Fprintln(os.Stderr, text); return nil },
	"exit":   func(code string) error { n, err := strconv.Atoi(code); exitIf(err == nil, n); return err },
	"sleep":  func(d string) error { t, err := time.ParseDuration(d); time.Sleep(t); return err },
	"wait":   func(string) error { return wait() },
	"onterm": onTerm,
	"ignore": func(string) error { signal.Ignore(syscall.SIGTERM); return nil },
	"eat":    eat,
	"mark":   mark,
	"tick":   tick,
	"where":  where,
	"write":  write,
	"serve":  serve,
	"echo":   echo,
	"dial":   dial,
	"dialed": answer,
}

func exitIf(ok bool, code int) {
	if ok {
		os.Exit(code)
	}
}

// wait waits for ever; the tick keeps Go from calling it a deadlock.
func wait() error {
	for {
		time.Sleep(time.Hour)
	}
}

// onTerm prints the text and exits with 0 when SIGTERM comes.
func onTerm(text string) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	go func() {
		<-c
		fmt.Println(text)
		os.Exit(0)
	}()
	return nil
}

// eat takes so many MiB of memory and touches every page.
func eat(mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	var all [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
	fmt.Println("ate", len(all), "MiB")
	return nil
}

// mark adds a line to a file in one write, so that starts can be counted: "MARK TIME", with the host name if MARK is unset.
func mark(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	name := os.Getenv("MARK")
	if name == "" {
		name, _ = os.Hostname()
	}
	_, err = fmt.Fprintf(f, "%s %d\n", name, time.Now().UnixMilli())
	return err
}

// tick prints "tick N" for ever, N = 0, 1, 2 ..., one each interval.
func tick(interval string) error {
	d, err := time.ParseDuration(interval)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		fmt.Println("tick", n)
		time.Sleep(d)
	}
}

// write writes TEXT to PATH ("PATH,TEXT"); a refusal is printed, not an end.
func write(arg string) error {
	path, text, _ := strings.Cut(arg, ",")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		fmt.Println("write refused:", err)
		return nil
	}
	fmt.Println("wrote", path)
	return nil
}
