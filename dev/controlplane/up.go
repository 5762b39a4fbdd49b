// `controlplane up`: starts the parts in order, watches over them, stops them in order.
//
// It is all that the scripts in dev/ know of the control plane. Into the folder it is given go:
//
//	kubeconfig   for the administrator, certificates included
//	audit.log    every request of everybody but the control plane itself (audit.go)
//	logs/        one log a part
//	pid          this supervisor's process id
//	ready        written last: whoever waits for the cluster waits for this file
//
// The neighbours: process.go runs a part, certificates.go makes the keys, ports.go picks the ports.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// flagList collects a flag that may be given several times.
type flagList []string

func (list *flagList) String() string     { return strings.Join(*list, " ") }
func (list *flagList) Set(v string) error { *list = append(*list, v); return nil }

// up runs the control plane until SIGINT, SIGTERM or SIGHUP, or until a part fails.
func up(args []string) int {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder for everything the cluster writes; must be new or empty")
	patience := flags.Duration("timeout", 2*time.Minute, "how long each part may take to become ready")
	withParent := flags.Bool("stop-with-parent", false, "stop when the process that started this one ends")
	var extra flagList
	flags.Var(&extra, "apiserver-flag", "one more flag for kube-apiserver, as --name=value; may be repeated")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *dir == "" {
		fmt.Fprintln(os.Stderr, "controlplane: --dir says which folder the cluster may write to; it is missing.")
		return 2
	}

	// The kernel ends our children when the thread that started them ends (process.go), so all of
	// them are started from this goroutine, and it keeps its thread.
	runtime.LockOSThread()

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if *withParent {
		if err := stopWithParent(); err != nil {
			fmt.Fprintln(os.Stderr, "controlplane:", err)
			return 1
		}
	}

	cluster, err := newCluster(*dir, *patience, extra)
	if err == nil {
		err = cluster.run(signals)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		return 1
	}
	return 0
}

// cluster is one control plane and the folder it lives in.
type cluster struct {
	dir            string
	patience       time.Duration
	apiserverFlags []string
	ports          ports
	running        []*process     // in the order of their start
	exited         chan *process  // one message for each part that ended
	signals        chan os.Signal // what asks us to stop
}

// errAsked says that a signal came before the cluster was ready; it is no failure.
var errAsked = errors.New("asked to stop")

// newCluster claims the folder. It refuses one that is in use: two clusters in one folder would
// destroy each other.
func newCluster(dir string, patience time.Duration, apiserverFlags []string) (*cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	pid, err := os.OpenFile(filepath.Join(dir, "pid"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s belongs to another control plane; stop it, or choose another folder", dir)
	}
	if err != nil {
		return nil, err
	}
	defer pid.Close()
	if _, err := os.Stat(filepath.Join(dir, "etcd")); err == nil {
		// New keys beside old data would give a cluster whose tokens do not verify.
		os.Remove(pid.Name())
		return nil, fmt.Errorf("%s holds what another control plane left; remove it, or choose another folder", dir)
	}
	if _, err := pid.WriteString(strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		return nil, err
	}
	for _, sub := range []string{"logs", "pki"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	return &cluster{dir: dir, patience: patience, apiserverFlags: apiserverFlags, exited: make(chan *process, 8)}, nil
}

// run brings the cluster up, says so, and stays until there is a reason to stop.
func (c *cluster) run(signals chan os.Signal) error {
	c.signals = signals
	defer os.Remove(c.path("pid"))
	defer c.stop()
	defer os.Remove(c.path("ready"))

	begin := time.Now()
	if err := c.start(); err != nil {
		if errors.Is(err, errAsked) {
			return nil
		}
		return err
	}
	took := time.Since(begin).Round(100 * time.Millisecond)
	if err := os.WriteFile(c.path("ready"), []byte(took.String()+"\n"), 0o600); err != nil {
		return err
	}
	fmt.Printf("control plane ready after %s in %s\n", took, c.dir)

	select {
	case <-c.signals:
		return nil
	case part := <-c.exited:
		return part.failure("ended while the cluster was in use")
	}
}

// start brings up one part after the other, each once the one before is ready. That is no slower
// than all at once where there are few cores, and a part never waits in vain for another.
func (c *cluster) start() error {
	if err := writeCertificates(c.path("pki")); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	if err := c.ports.pick(); err != nil {
		return err
	}
	server := "https://127.0.0.1:" + c.ports.apiserver
	if err := writeKubeconfig(c.path("kubeconfig"), server, c.path("pki"), "admin"); err != nil {
		return err
	}
	if err := writeKubeconfig(c.path("pki", "controller-manager.kubeconfig"), server, c.path("pki"), "controller-manager"); err != nil {
		return err
	}
	client, err := newProbe(c.path("pki"))
	if err != nil {
		return err
	}

	if err := c.launch("etcd", c.etcdFlags()); err != nil {
		return err
	}
	if err := c.await("etcd", client, c.etcdURL()+"/health"); err != nil {
		return err
	}
	if err := c.launch("kube-apiserver", c.serverFlags()); err != nil {
		return err
	}
	if err := c.await("kube-apiserver", client, server+"/readyz"); err != nil {
		return err
	}
	if err := c.launch("kube-controller-manager", c.managerFlags()); err != nil {
		return err
	}
	// The controller manager makes this account in every new namespace: once it is there,
	// namespaces work.
	return c.await("kube-controller-manager", client, server+"/api/v1/namespaces/default/serviceaccounts/default")
}

// launch starts a part as a process of its own.
func (c *cluster) launch(name string, flags []string) error {
	part, err := startProcess(name, flags, c.path("logs", name+".log"), c.exited)
	if err != nil {
		return fmt.Errorf("%s could not be started: %w", name, err)
	}
	c.running = append(c.running, part)
	return nil
}

// await asks the address until it answers 200, and gives up when a part ends, when time is up or
// when we are asked to stop.
func (c *cluster) await(name string, client *probe, url string) error {
	late := time.After(c.patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-c.signals:
			return errAsked
		case part := <-c.exited:
			return part.failure("ended before it was ready")
		case <-late:
			return c.part(name).failure(fmt.Sprintf("was not ready after %s (%s)", c.patience, client.last))
		case <-again.C:
			if client.ok(url) {
				return nil
			}
		}
	}
}

// stop ends the parts, the last started first: each can still reach what it depends on.
func (c *cluster) stop() {
	for i := len(c.running) - 1; i >= 0; i-- {
		c.running[i].stop()
	}
}

func (c *cluster) part(name string) *process {
	for _, part := range c.running {
		if part.name == name {
			return part
		}
	}
	return nil
}

func (c *cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

// etcd is spoken to in plain HTTP: it listens on loopback alone and holds only test data.
func (c *cluster) etcdURL() string { return "http://127.0.0.1:" + c.ports.etcd }
