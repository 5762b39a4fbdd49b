// A client's way into the cluster as one file that needs no other.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// writeKubeconfig writes the access of `user`, whose certificate lies in the folder pki.
func writeKubeconfig(path, server, pki, user string) error {
	var encoded [3]string
	for i, name := range []string{"ca.crt", user + ".crt", user + ".key"} {
		content, err := os.ReadFile(filepath.Join(pki, name))
		if err != nil {
			return err
		}
		encoded[i] = base64.StdEncoding.EncodeToString(content)
	}
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: keyreeve-dev
contexts:
  - name: keyreeve-dev
    context: {cluster: keyreeve-dev, user: %[2]s, namespace: default}
clusters:
  - name: keyreeve-dev
    cluster:
      server: %[1]s
      certificate-authority-data: %[3]s
users:
  - name: %[2]s
    user:
      client-certificate-data: %[4]s
      client-key-data: %[5]s
`, server, user, encoded[0], encoded[1], encoded[2])
	return os.WriteFile(path, []byte(text), 0o600)
}
