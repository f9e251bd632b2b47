package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// serve answers HTTP at an address, in the background: / says who answers, /look reports, /get?url= fetches from here, /echo sends
// back what it gets.
func serve(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	born := time.Now().UnixNano()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s born %d", name(), born)
	})
	http.HandleFunc("/look", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(look())
	})
	http.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		text, err := get(r.Context(), r.FormValue("url"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, text)
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	})
	http.HandleFunc("/addresses", func(w http.ResponseWriter, _ *http.Request) {
		all, _ := net.InterfaceAddrs()
		for _, a := range all {
			fmt.Fprintln(w, a)
		}
	})
	go func() { // ends with the process
		fmt.Fprintln(os.Stderr, http.Serve(l, nil))
		os.Exit(98)
	}()
	return nil
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(b), err
}

// echo answers every UDP datagram with itself, in the background.
func echo(addr string) error {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
	return nil
}

// dial connects to an address until it answers, for ten seconds at most.
func dial(addr string) error {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			fmt.Println("reached", addr)
			return nil
		}
	}
	return err
}

// answer connects once and prints the outcome, whatever it is.
func answer(addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		fmt.Println("not reached", addr)
		return nil
	}
	fmt.Println("reached", addr)
	return c.Close()
}

// fetch gets a URL and prints status and page, or why there is none.
func fetch(url string) error { return put(url, "") }

// put is fetch, with a body if there is one.
func put(url, body string) error {
	if body == "" {
		return ask(http.MethodGet, url, "")
	}
	return ask(http.MethodPut, url, body)
}

// ask prints how a request is answered: status and body, or why there is no answer.
func ask(method, url, body string) error {
	unanswered, err := try(method, url, body, 10*time.Second)
	if unanswered != nil {
		fmt.Println("not fetched", unanswered)
	}
	return err
}

// try asks on a connection of its own, and prints the answer if there is one in time.
func try(method, url, body string, patience time.Duration) (unanswered, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Close = true
	resp, unanswered := http.DefaultClient.Do(r)
	if unanswered != nil {
		return unanswered, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	fmt.Println(resp.StatusCode, strings.TrimSpace(string(b)))
	return nil, err
}
