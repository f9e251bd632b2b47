package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// proxy listens, in the background, for connections that the network sends here although they are for somebody else. It prints whom each
// is for, and carries it on.
func proxy(addr string) error {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go carryOn(c.(*net.TCPConn), addr)
		}
	}()
	return nil
}

func carryOn(from *net.TCPConn, addr string) {
	defer from.Close()
	to, err := meant(from)
	if err != nil {
		fmt.Println("at", addr, "for nobody:", err)
		return
	}
	fmt.Println("at", addr, "for", to)
	next, err := net.Dial("tcp4", to)
	if err != nil {
		fmt.Println("to", to, err)
		return
	}
	defer next.Close()
	var both sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{next.(*net.TCPConn), from}, {from, next.(*net.TCPConn)}} {
		both.Go(func() { _, _ = io.Copy(way[0], way[1]); _ = way[0].CloseWrite() })
	}
	both.Wait()
}

// meant is whom a connection was for before the kernel changed that.
func meant(c *net.TCPConn) (string, error) {
	const originalDst = 80 // SO_ORIGINAL_DST
	raw, err := c.SyscallConn()
	if err != nil {
		return "", err
	}
	var to string
	cerr := raw.Control(func(fd uintptr) {
		// A sockaddr_in fits into the first half of what this returns: family, port, address.
		m, gerr := syscall.GetsockoptIPv6Mreq(int(fd), syscall.IPPROTO_IP, originalDst)
		if err = gerr; err == nil {
			a := m.Multiaddr
			to = net.JoinHostPort(net.IP(a[4:8]).String(), strconv.Itoa(int(a[2])<<8|int(a[3])))
		}
	})
	if err == nil {
		err = cerr
	}
	return to, err
}
