// Free ports on loopback, for clusters that run side by side.
package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The range lies below the one from which the kernel takes ports for outgoing connections and for
// listeners on port 0. A port out of that one could be gone before its part comes to listen on it.
const (
	firstPort = 20000
	lastPort  = 29999
)

// ports are the ports of one cluster.
type ports struct {
	etcd, etcdPeer, apiserver, controllerManager string
	claims                                       []net.Listener
}

// pick chooses the ports and keeps other supervisors from choosing the same.
func (p *ports) pick() error {
	for _, port := range []*string{&p.etcd, &p.etcdPeer, &p.apiserver, &p.controllerManager} {
		chosen, claim, err := freePort()
		if err != nil {
			return err
		}
		*port = chosen
		p.claims = append(p.claims, claim)
	}
	return nil
}

func freePort() (string, net.Listener, error) {
	for range 200 {
		port := strconv.Itoa(firstPort + rand.IntN(lastPort-firstPort+1))
		// The claim is a name that only one process can hold and that goes with it.
		claim, err := net.Listen("unix", "@keyreeve-controlplane-port-"+port)
		if err != nil {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			claim.Close()
			continue
		}
		listener.Close()
		return port, claim, nil
	}
	return "", nil, fmt.Errorf("no free port was found on 127.0.0.1 between %d and %d", firstPort, lastPort)
}
