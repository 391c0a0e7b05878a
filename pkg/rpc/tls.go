package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/contactmill/contactmill/pkg/fault"
)

// TLS names files in PEM. A server needs certificate and key; a client needs the CA if it is not one that the system
// knows, and shows its certificate if it has one. Empty means no TLS, which only loopback addresses are allowed.
type TLS struct {
	Cert     string `env:"TLS_CERT"`
	Key      string `env:"TLS_KEY"`
	CA       string `env:"TLS_CA"`
	System   bool   `env:"TLS_SYSTEM"`   // client: TLS with the CAs that the system knows
	Insecure bool   `env:"TLS_INSECURE"` // on purpose: credentials and contacts travel in the clear, any host
}

func (t TLS) server(l net.Listener) (credentials.TransportCredentials, error) {
	if t.Cert == "" && t.Key == "" {
		if !t.Insecure && !loopback(l.Addr()) {
			return nil, fault.New(fault.Precondition, "no-tls", "the server would listen on %s without TLS", l.Addr()).
				Hint("set certificate and key, or set TLS_INSECURE if something else encrypts")
		}
		return insecure.NewCredentials(), nil
	}
	c := &certificate{cert: t.Cert, key: t.Key}
	if _, err := c.get(); err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get() },
	}), nil
}

func (t TLS) client(hosts []string) (credentials.TransportCredentials, error) {
	if t.CA == "" && !t.System {
		for _, h := range hosts {
			if !t.Insecure && !loopbackName(h) {
				return nil, fault.New(fault.Precondition, "no-tls", "the credential would travel to %s without TLS", h).
					Hint("set the CA, or set TLS_INSECURE if something else encrypts")
			}
		}
		return insecure.NewCredentials(), nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read CA: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "bad-ca", "there is no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" {
		c := &certificate{cert: t.Cert, key: t.Key}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.get() }
	}
	return credentials.NewTLS(cfg), nil
}

// certificate is read again when its file was replaced, as certificates are renewed while servers run.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	of     time.Time
}

func (c *certificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.cert)
	if err == nil && c.loaded != nil && info.ModTime().Equal(c.of) {
		return c.loaded, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	switch {
	case err == nil:
		c.loaded, c.of = &pair, info.ModTime()
	case c.loaded == nil:
		return nil, fault.Wrap(fault.Invalid, "bad-certificate", err, "certificate %s and key cannot be used", c.cert)
	}
	return c.loaded, nil // the old one while the new one is half written
}

// loopback tells whether nobody else can reach a listener's address. Addresses that are no TCP are sockets of this host.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

func loopbackName(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
