// Command controlplane is a whole Kubernetes control plane for tests: one program, one process a part.
//
//	controlplane up --dir DIR              run all parts until a signal (up.go)
//	controlplane etcd …                    the store (etcd.go)
//	controlplane kube-apiserver …          Kubernetes' own command (components.go)
//	controlplane kube-controller-manager …
//	controlplane kubectl …
//
// Under the name of a part (a link called kubectl) it is that part.
//
// `up` starts this same program again for each part. One process for all would be lighter, but the
// parts keep process-wide state (flags, metrics, feature gates) and do not share it well.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// commands are the parts by the name that is the first argument. Each gets the arguments after its
// name and answers with the exit code.
var commands = map[string]func(args []string) int{
	"up":                      up,
	"etcd":                    etcd,
	"kube-apiserver":          apiserver,
	"kube-controller-manager": controllerManager,
	"kubectl":                 kubectl,
}

func main() {
	// The commands of Kubernetes read os.Args themselves: each must find its own name in front.
	if _, known := commands[filepath.Base(os.Args[0])]; !known {
		os.Args = os.Args[1:]
	}
	if len(os.Args) == 0 {
		usage()
	}
	run, known := commands[filepath.Base(os.Args[0])]
	if !known {
		usage()
	}
	os.Exit(run(os.Args[1:]))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: controlplane up --dir DIR | etcd | kube-apiserver | kube-controller-manager | kubectl")
	os.Exit(2)
}
