// The parts that are Kubernetes' own: each is its upstream command, run as its upstream main does.
// up.go gives them their flags.
package main

import (
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // for --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as upstream has them
	_ "k8s.io/component-base/metrics/prometheus/version"  // the build's version as a metric
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	managerapp "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func apiserver([]string) int {
	return cli.Run(apiserverapp.NewAPIServerCommand())
}

func controllerManager([]string) int {
	return cli.Run(managerapp.NewControllerManagerCommand())
}

func kubectl([]string) int {
	// kubectl words its errors itself; cli.Run would print them a second time.
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		return 1
	}
	return 0
}
