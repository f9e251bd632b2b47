package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// route stands in for Fluent Bit: it reads the configuration at the path, listens where that says, and prints its outputs, with variables
// put in, and each record that comes, with its tag.
func route(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	section, host := "", ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "["):
			section, host = line, ""
		case section == "[OUTPUT]" || key == "Record":
			fmt.Println(strings.ToLower(strings.Trim(section, "[]")), key, os.ExpandEnv(value))
		case key == "unix_path":
			err = listen("unix", value)
		case key == "Listen":
			host = value
		case key == "Port" && value == "24224":
			err = listen("tcp", host+":"+value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func listen(network, at string) error {
	l, err := net.Listen(network, at)
	if err != nil {
		return err
	}
	fmt.Println("listens at", at)
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for in := bufio.NewReader(c); ; {
					if err := printForward(in); err != nil {
						if !errors.Is(err, io.EOF) {
							fmt.Println("bad message:", err)
						}
						return
					}
				}
			}()
		}
	}()
	return nil
}

// printForward prints the records of a message in Fluentd's mode Forward.
func printForward(in *bufio.Reader) error {
	v, err := unpack(in)
	if err != nil {
		return err
	}
	m, ok := v.([]any)
	if !ok || len(m) < 2 {
		return fmt.Errorf("%v", v)
	}
	for _, e := range m[1].([]any) {
		b, err := json.Marshal(e.([]any)[1])
		if err != nil {
			return err
		}
		fmt.Printf("%s %s\n", m[0], b)
	}
	return nil
}

// unpack reads a value of MessagePack, of the kinds that log drivers send.
func unpack(in *bufio.Reader) (any, error) {
	head, err := in.ReadByte()
	if err != nil {
		return nil, err
	}
	kind, n := head, 0
	switch {
	case head < 0x80:
		return int(head), nil
	case head < 0x90:
		kind, n = 0xdf, int(head&15)
	case head < 0xa0:
		kind, n = 0xdd, int(head&15)
	case head < 0xc0:
		kind, n = 0xdb, int(head&31)
	default:
		width := map[byte]int{0xd3: 8, 0xd7: 9, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdd: 4, 0xdf: 4}[head]
		if width == 0 {
			return nil, fmt.Errorf("head %#x", head)
		}
		b := make([]byte, 9)
		if _, err := io.ReadFull(in, b[9-width:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint64(b[1:]))
	}
	switch kind {
	case 0xd9, 0xda, 0xdb:
		b := make([]byte, n)
		_, err := io.ReadFull(in, b)
		return string(b), err
	case 0xdd:
		list := make([]any, n)
		for i := range list {
			if list[i], err = unpack(in); err != nil {
				return nil, err
			}
		}
		return list, nil
	case 0xdf:
		table := map[string]any{}
		for range n {
			k, err := unpack(in)
			if err != nil {
				return nil, err
			}
			if table[fmt.Sprint(k)], err = unpack(in); err != nil {
				return nil, err
			}
		}
		return table, nil
	}
	return n, nil
}
