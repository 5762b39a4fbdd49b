// Asks a part whether it is ready. up.go decides which address and how often.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// probe is an HTTP client with the administrator's certificate.
type probe struct {
	client *http.Client
	last   string // the latest answer that was not good
}

func newProbe(pki string) (*probe, error) {
	authority, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("the certificate authority just written cannot be read")
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(pki, "admin.crt"), filepath.Join(pki, "admin.key"))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}}
	return &probe{client: &http.Client{Transport: transport, Timeout: 5 * time.Second}, last: "it was not asked"}, nil
}

// ok tells whether the address answers 200.
func (p *probe) ok(url string) bool {
	response, err := p.client.Get(url)
	if err != nil {
		p.last = err.Error()
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
	p.last = url + " answered " + response.Status
	return response.StatusCode == http.StatusOK
}
