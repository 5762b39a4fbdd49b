// What each part of the control plane is told. The order of their start is in up.go.
package main

import "strings"

// serviceRange is where Services get their addresses; its first one is the apiserver's.
const (
	serviceRange     = "10.0.0.0/24"
	apiserverService = "10.0.0.1"
)

// controllers are those that an operator's test needs. There are no nodes, so nothing that
// handles nodes, volumes or endpoints is of use.
var controllers = []string{
	"namespace-controller",
	"garbage-collector-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"root-ca-certificate-publisher-controller",
	"deployment-controller",
	"replicaset-controller",
	"clusterrole-aggregation-controller",
}

func (c *cluster) etcdFlags() []string {
	return []string{
		"--data-dir=" + c.path("etcd"),
		"--client-url=" + c.etcdURL(),
		"--peer-url=http://127.0.0.1:" + c.ports.etcdPeer,
	}
}

func (c *cluster) serverFlags() []string {
	flags := []string{
		"--etcd-servers=" + c.etcdURL(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + c.ports.apiserver,
		"--cert-dir=" + c.path("pki"),
		"--tls-cert-file=" + c.path("pki", "apiserver.crt"),
		"--tls-private-key-file=" + c.path("pki", "apiserver.key"),
		"--client-ca-file=" + c.path("pki", "ca.crt"),
		"--authorization-mode=RBAC",
		"--service-account-key-file=" + c.path("pki", "service-accounts.pub"),
		"--service-account-signing-key-file=" + c.path("pki", "service-accounts.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=" + serviceRange,
		"--endpoint-reconciler-type=none",
		"--audit-policy-file=" + c.path("audit-policy.yaml"),
		"--audit-log-path=" + c.path("audit.log"),
		// Written before the request is answered, so that a test which counts sees all of it, and
		// never rotated (in MB), so that it finds all of it in one file.
		"--audit-log-mode=blocking",
		"--audit-log-maxsize=10000",
		// Tests are many and the cores are few: no queues, no fair shares, only wide limits.
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=3000",
		"--max-mutating-requests-inflight=1500",
		"--profiling=false",
	}
	return append(flags, c.apiserverFlags...)
}

func (c *cluster) managerFlags() []string {
	kubeconfig := c.path("pki", "controller-manager.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--service-account-private-key-file=" + c.path("pki", "service-accounts.key"),
		"--root-ca-file=" + c.path("pki", "ca.crt"),
		"--use-service-account-credentials=true",
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=" + c.ports.controllerManager,
		"--cert-dir=" + c.path("pki"),
		"--tls-cert-file=" + c.path("pki", "apiserver.crt"),
		"--tls-private-key-file=" + c.path("pki", "apiserver.key"),
		// A test that deletes namespaces should not wait for the client's own rate limit.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}
}
