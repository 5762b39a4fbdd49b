// What the audit log holds. Tests read it to prove who wrote what, above all that nobody wrote
// anything when nothing had changed.
package main

// auditPolicy records every request of every user at the level Metadata: who, verb, object and
// answer. Left out is the control plane's traffic with itself, which would make most of the file:
// all of the apiserver's and the controller manager's own, and what the manager's controllers read.
// What these controllers write (a garbage collection, say) stays in.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:apiserver", "system:kube-controller-manager"]
  - level: None
    userGroups: ["system:serviceaccounts:kube-system"]
    verbs: ["get", "list", "watch"]
  - level: Metadata
`
