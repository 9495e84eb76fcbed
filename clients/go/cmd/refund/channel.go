package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// The same as docs/grpc-service-config.json: gRPC repeats reads by itself, and never a Refund.
//
//go:embed service-config.json
var recommended string

// Access is how to reach the server, and who calls.
type Access struct {
	Server        string
	TokenFile     string
	CA, Cert, Key string
	ServiceConfig string
	Timeout       time.Duration
}

// Open gives a channel: one for the whole program. It connects when it is first used.
func (a Access) Open() (*grpc.ClientConn, error) {
	transport, err := a.credentials()
	if err != nil {
		return nil, err
	}
	config := recommended
	if a.ServiceConfig != "" {
		file, err := os.ReadFile(a.ServiceConfig)
		if err != nil {
			return nil, err
		}
		config = string(file)
	}
	// After failures a channel waits before it connects again; by default for up to 2 minutes,
	// longer than any call here.
	pause := backoff.DefaultConfig
	pause.MaxDelay = 3 * time.Second
	return grpc.NewClient(a.Server,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(config),
		// Nor does a TXT record in DNS have it repeat others.
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: pause, MinConnectTimeout: 5 * time.Second}),
		// Finds out within half a minute that the server is gone though nobody says so.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}))
}

func (a Access) credentials() (credentials.TransportCredentials, error) {
	if a.CA == "" {
		return insecure.NewCredentials(), nil
	}
	authorities, err := os.ReadFile(a.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s: no certificate in it", a.CA)
	}
	if a.Cert != "" {
		if _, err := tls.LoadX509KeyPair(a.Cert, a.Key); err != nil {
			return nil, err
		}
		// Read for each connection, so that it may be renewed.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
			return &pair, err
		}
	}
	return credentials.NewTLS(config), nil
}

// Call begins a call about a refund: with a deadline, an id that the server logs, and the token as
// it is in its file now, so that it may be renewed.
func (a Access) Call(number string) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(context.Background(), a.Timeout)
	ctx = metadata.AppendToOutgoingContext(ctx, "x-request-id", escape(number))
	if a.TokenFile != "" {
		token, err := os.ReadFile(a.TokenFile)
		if err != nil {
			cancel()
			return nil, nil, err
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	return ctx, cancel, nil
}
