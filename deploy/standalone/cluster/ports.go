package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

// ports finds free ports below those that the kernel gives to outgoing connections, so that none of them is taken while
// the process that listens there is being started again.
type ports struct {
	first, last int
	held        []net.Listener // until close, so that none is found twice
}

func newPorts() (*ports, error) {
	p := &ports{first: 10_000, last: 32_767}
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return nil, fmt.Errorf("look which ports the kernel gives away: %w", err)
	}
	if fields := strings.Fields(string(b)); len(fields) == 2 {
		low, err := strconv.Atoi(fields[0])
		if err != nil {
			return nil, fmt.Errorf("look which ports the kernel gives away: %w", err)
		}
		p.last = low - 1
	}
	if p.last-p.first < 1000 { // a machine that gives away nearly all of them
		p.first, p.last = 10_000, 60_999
	}
	return p, nil
}

// addresses holds so many free addresses of this machine.
func (p *ports) addresses(n int) ([]string, error) {
	var found []string
	for try := 0; len(found) < n; try++ {
		if try == 1000 {
			return nil, fmt.Errorf("no free port was found between %d and %d", p.first, p.last)
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p.first+rand.IntN(p.last-p.first+1)))
		if err != nil {
			continue // taken: another one
		}
		p.held = append(p.held, l)
		found = append(found, l.Addr().String())
	}
	return found, nil
}

func (p *ports) numbers(n int) ([]int, error) {
	found, err := p.addresses(n)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, addr := range found {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("read address of a listener: %w", err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("read port of a listener: %w", err)
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

// close lets others listen on what was found.
func (p *ports) close() {
	for _, l := range p.held {
		l.Close()
	}
	p.held = nil
}
