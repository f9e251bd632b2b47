// Command probe is the one program in the images of the tests that run real containers (test/e2e, test/conformance). It
// does what its arguments say, one after the other (verb=value), so that a task definition reads as what the task does.
// Unless told otherwise by exit or a signal it ends with 0 after the last one. It must not know the tests.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
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
	"env":    func(name string) error { fmt.Printf("%s=%s\n", name, os.Getenv(name)); return nil },
	"exit":   exit,
	"sleep":  func(d string) error { t, err := time.ParseDuration(d); time.Sleep(t); return err },
	"wait":   wait,
	"onterm": onTerm,
	"onhup":  onHup,
	"ignore": func(string) error { signal.Ignore(syscall.SIGTERM); return nil },
	"eat":    eat,
	"burn":   burn,
	"mark":   mark,
	"tick":   tick,
	"where":  where,
	"procs":  procs,
	"write":  write,
	"there":  there,
	"read":   read,
	"room":   room,
	"serve":  serve,
	"echo":   echo,
	"proxy":  proxy,
	"route":  route,
	"dial":   dial,
	"dialed": answer,
	"fetch":  fetch,
	"talk":   converse,
	"flood":  flood,
	"lines":  lines,
	"aws":    callAWS,
	// metadata asks for the container's metadata, a second time where the first is not answered, as SDKs do.
	"metadata": func(path string) error {
		url := os.Getenv("ECS_CONTAINER_METADATA_URI_V4") + path
		unanswered, err := try(http.MethodGet, url, "", 3*time.Second)
		if unanswered == nil {
			return err
		}
		fmt.Println("not answered", unanswered)
		return fetch(url)
	},
	// credentials asks the metadata server of the task's own node: in mode host 169.254.170.2 is all nodes' of the machine.
	"credentials": func(string) error {
		node, _, _ := strings.Cut(strings.TrimPrefix(os.Getenv("ECS_AGENT_URI"), "http://"), "/")
		return fetch("http://" + node + os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
	},
	// fault asks for a fault: "VERB KIND BODY".
	"fault": func(arg string) error {
		verb, rest, _ := strings.Cut(arg, " ")
		kind, body, _ := strings.Cut(rest, " ")
		return ask(http.MethodPost, os.Getenv("ECS_AGENT_URI")+"/fault/v1/"+kind+"/"+verb, body)
	},
	// protection asks for the task's own protection, or with a body for another one.
	"protection": func(body string) error {
		return put(os.Getenv("ECS_AGENT_URI")+"/task-protection/v1/state", body)
	},
}

func exit(code string) error {
	n, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	os.Exit(n)
	return nil
}

// wait waits for SIGTERM and exits with the code; without a code, or if the signal is ignored, it waits for ever.
func wait(code string) error {
	for code == "" || signal.Ignored(syscall.SIGTERM) {
		time.Sleep(time.Hour) // select {} would be a deadlock, says Go
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	<-c
	return exit(code)
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

// onHup reads the file each time that SIGHUP comes.
func onHup(path string) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	go func() {
		for range c {
			fmt.Print("SIGHUP: ")
			_ = read(path)
		}
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

// burn keeps so many threads busy, in the background.
func burn(threads string) error {
	n, err := strconv.Atoi(threads)
	runtime.GOMAXPROCS(n + 1)
	for range n {
		go func() {
			for i := 0; ; i++ {
				_ = i
			}
		}()
	}
	return err
}

// mark adds a line to a file in one write, so that starts can be counted: "NAME TIME".
func mark(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%s %d\n", name(), time.Now().UnixMilli())
	return err
}

// name tells probes apart: MARK, or the host name if that is unset.
func name() string {
	if mark := os.Getenv("MARK"); mark != "" {
		return mark
	}
	host, _ := os.Hostname()
	return host
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

// there ends with 1 if there is no such file: a health check.
func there(path string) error {
	if _, err := os.Stat(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return nil
}

// read prints who owns a file or directory, its mode, and its text; a refusal is printed, not an end.
func read(path string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		fmt.Println("not read:", path, err)
		return nil
	}
	text := []byte{}
	if st.Mode&syscall.S_IFMT == syscall.S_IFREG {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			fmt.Println("not read:", path, err)
			return nil
		}
	}
	fmt.Printf("%s %d:%d %o: %s\n", path, st.Uid, st.Gid, st.Mode&0o7777, strings.Join(strings.Fields(string(text)), " "))
	return nil
}

// room prints the size of a file system.
func room(path string) error {
	var st syscall.Statfs_t
	err := syscall.Statfs(path, &st)
	fmt.Printf("%s has %d GiB\n", path, (st.Blocks*uint64(st.Bsize)+1<<29)>>30)
	return err
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
