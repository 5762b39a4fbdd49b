// One part as a child process: its start, its log, its end. up.go decides when.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopPatience is how long a part may take to end by itself. Its data is thrown away, so little is
// lost when it is killed afterwards.
const stopPatience = 10 * time.Second

type process struct {
	name    string
	log     string
	command *exec.Cmd
	ended   chan struct{} // closed once the process is gone
	result  error         // how it ended; read only after `ended`
}

// startProcess runs this program again as the part `name`. It must be called from a goroutine that
// is locked to its thread, because the kernel ties Pdeathsig to the thread of the parent.
func startProcess(name string, flags []string, log string, exited chan<- *process) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	output, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer output.Close() // the child has its own copy

	command := exec.Command(self, append([]string{name}, flags...)...)
	command.Stdout, command.Stderr = output, output
	// Memory is there, cores are few: let the garbage collector run less often.
	command.Env = append(os.Environ(), "GOGC=400")
	command.SysProcAttr = &syscall.SysProcAttr{
		// A group of its own: Ctrl-C in a terminal reaches the supervisor alone, which then stops
		// the parts in order.
		Setpgid: true,
		// And when the supervisor itself is killed, nothing of it stays behind.
		Pdeathsig: syscall.SIGKILL,
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	part := &process{name: name, log: log, command: command, ended: make(chan struct{})}
	go func() {
		part.result = command.Wait()
		close(part.ended)
		exited <- part
	}()
	return part, nil
}

// stop asks the process to end, insists after a while, and returns once it is gone.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// failure words what went wrong with the process, with the end of its log.
func (p *process) failure(what string) error {
	how := ""
	select {
	case <-p.ended:
		if p.result != nil {
			how = " (" + p.result.Error() + ")"
		}
	default:
	}
	return fmt.Errorf("%s %s%s. The end of %s:\n%s", p.name, what, how, p.log, tail(p.log, 20))
}

// tail is the last lines of a file, indented.
func tail(path string, count int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "    (" + err.Error() + ")"
	}
	lines := bytes.Split(bytes.TrimRight(content, "\n"), []byte("\n"))
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	return "    " + string(bytes.Join(lines, []byte("\n    ")))
}

// stopWithParent makes the kernel send us SIGTERM when the process that started us ends, however
// it ends.
func stopWithParent() error {
	const setParentDeathSignal = 1 // PR_SET_PDEATHSIG
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setParentDeathSignal, uintptr(syscall.SIGTERM), 0)
	if errno != 0 {
		return fmt.Errorf("the end of the parent process cannot be watched: %w", errno)
	}
	return nil
}
