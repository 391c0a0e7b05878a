// Package testprovider is a source of enrichment that costs money, made of nothing, for tests: it keeps the published contract,
// remembers what it was paid for, and breaks the contract on command.
//
// It knows every phone that ends in an odd digit and every email whose part before the @ does, and says so by facts that depend
// on the value: see [Phone] and [Email]. Every subject costs the price, known or not.
//
// What was charged is in a file before the answer is sent, so that the program can be killed like any other: asked again it
// answers as before and charges nothing. How it behaves is told over plain HTTP, see [Behaviour]:
//
//	POST /behave  {"mode": "slow", "delay_ms": 200, "times": 3}
//	GET  /paid    {"batches": 2, "subjects": 40, "cost_micros": 40000, "calls": 3, "repeated": 1, "values_repeated": 0, "per_batch": {...}}
package testprovider

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// remembers is how long batches are remembered, at least: for as long as the file is there.
const remembers = 365 * 24 * time.Hour

// Options of Start. What is left empty is as the comment says.
type Options struct {
	State    string // directory of the file of charges
	GRPC     string // address of the contract; 127.0.0.1:0
	HTTP     string // address of the control; 127.0.0.1:0
	Name     string // "test"
	Currency string // "EUR"
	Price    int64  // of a subject, in millionths; negative is for nothing, 0 is 1,000
	MaxBatch int    // 10,000
	Key      string // the bearer that callers must show; none
	Cert     string // file of a certificate; no TLS
	CertKey  string // file of its key
}

// Provider is one that listens. Run serves.
type Provider struct {
	o       Options
	charges *charges
	manners manners
	conns   *listener
	grpc    *grpc.Server
	control net.Listener

	providerv1.UnimplementedProviderServiceServer
}

// Start listens and reads what was charged before.
func Start(o Options) (_ *Provider, err error) {
	o.defaults()
	p := &Provider{o: o}
	if p.charges, err = openCharges(o.State); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	l, err := net.Listen("tcp", o.GRPC)
	if err != nil {
		return nil, fmt.Errorf("listen for callers: %w", err)
	}
	p.conns = &listener{Listener: l}
	if p.control, err = net.Listen("tcp", o.HTTP); err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	options := []grpc.ServerOption{
		grpc.StreamInterceptor(p.stream), grpc.UnaryInterceptor(p.unary),
		// callers ping every 20 s, also while nothing is on its way
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if o.Cert != "" {
		creds, err := credentials.NewServerTLSFromFile(o.Cert, o.CertKey)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		options = append(options, grpc.Creds(creds))
	}
	p.grpc = grpc.NewServer(options...)
	providerv1.RegisterProviderServiceServer(p.grpc, p)
	return p, nil
}

func (o *Options) defaults() {
	set := func(s *string, to string) {
		if *s == "" {
			*s = to
		}
	}
	set(&o.GRPC, "127.0.0.1:0")
	set(&o.HTTP, "127.0.0.1:0")
	set(&o.Name, "test")
	set(&o.Currency, "EUR")
	switch {
	case o.Price == 0:
		o.Price = 1000
	case o.Price < 0:
		o.Price, o.Currency = 0, ""
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = 10_000
	}
}

// Addr is where the contract is served, Control where it is steered: host:port.
func (p *Provider) Addr() string    { return p.conns.Addr().String() }
func (p *Provider) Control() string { return p.control.Addr().String() }

// Run serves until ctx ends; what is asked then is cut off.
func (p *Provider) Run(ctx context.Context) error {
	defer p.close()
	web := &http.Server{Handler: p.mux(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 2)
	go func() { ended <- p.grpc.Serve(p.conns) }()
	go func() { ended <- web.Serve(p.control) }()
	left := 2
	var err error
	select {
	case err = <-ended:
		left--
	case <-ctx.Done():
	}
	p.manners.close()
	p.grpc.Stop()
	err = errors.Join(err, web.Close())
	for range left {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (p *Provider) close() {
	p.charges.close()
	for _, l := range []net.Listener{p.conns, p.control} {
		if l != nil && l != (*listener)(nil) {
			_ = l.Close() // it may have been by the server
		}
	}
}

// Describe tells what the provider is.
func (p *Provider) Describe(ctx context.Context, _ *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	if err := p.describing(ctx); err != nil {
		return nil, err
	}
	return &providerv1.DescribeResponse{Name: p.o.Name, Currency: p.o.Currency, PriceMicros: p.o.Price, MaxBatch: int32(p.o.MaxBatch),
		Remembers: durationpb.New(remembers), PhoneFacts: phoneFacts, EmailFacts: emailFacts}, nil
}

func (p *Provider) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := p.admit(ctx); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (p *Provider) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := p.admit(s.Context()); err != nil {
		return err
	}
	return handle(srv, s)
}

func (p *Provider) admit(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	shown := md.Get("authorization")
	if p.o.Key == "" || len(shown) == 1 && subtle.ConstantTimeCompare([]byte(shown[0]), []byte("Bearer "+p.o.Key)) == 1 {
		return nil
	}
	return status.Error(codes.Unauthenticated, "the key is missing or not good")
}
