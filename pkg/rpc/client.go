package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	pingEvery     = 20 * time.Second
	pingForeign   = 6 * time.Minute // gRPC servers that were told nothing end connections that are pinged within five
	reconnectMost = 3 * time.Second // between attempts; gRPC's own two minutes are too long to miss a restart by
)

// DialOptions of Dial. At most one of Key and ServiceKey is set.
type DialOptions struct {
	Key        config.Secret // API key, "cm_..."
	ServiceKey config.Secret // without "svc_"
	TLS        TLS
	Dialer     func(ctx context.Context, addr string) (net.Conn, error) // nil is TCP

	// Foreign: the server is none of ours. It is pinged seldom, and only while a call is at work, so that no deadline but the
	// caller's finds out that it is gone.
	Foreign bool
}

// Dial makes a client of the service at addr: host:port, where a host may stand for several replicas, or several
// host:port separated by commas. Calls go to the replicas in turn. It does not wait for a connection. Errors of calls
// are faults; methods that may be are tried again while the service is unavailable, a few times within a second or so.
// It refuses to send a credential beyond this host without TLS.
func Dial(addr string, o DialOptions) (*grpc.ClientConn, error) {
	if o.Key != "" && o.ServiceKey != "" {
		return nil, fault.New(fault.Invalid, "two-credentials", "a client has an API key or a service key, not both")
	}
	addrs := strings.Split(addr, ",")
	var hosts []string
	for i, a := range addrs {
		addrs[i] = strings.TrimSpace(a)
		host, _, err := net.SplitHostPort(addrs[i])
		if err != nil || host == "" {
			return nil, fault.New(fault.Invalid, "bad-address", "address %q is not host:port", addrs[i])
		}
		hosts = append(hosts, host)
	}
	if o.Dialer != nil {
		hosts = nil // it goes where it goes; nothing of ours leaves by the network
	}
	creds, err := o.TLS.client(hosts)
	if err != nil {
		return nil, err
	}
	pings := keepalive.ClientParameters{Time: pingEvery, Timeout: pingAnswer, PermitWithoutStream: true}
	if o.Foreign {
		pings = keepalive.ClientParameters{Time: pingForeign, Timeout: pingAnswer}
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(serviceConfig()),
		grpc.WithChainUnaryInterceptor(unaryFault),
		grpc.WithChainStreamInterceptor(streamFault),
		grpc.WithKeepaliveParams(pings),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: reconnectMost,
			Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnectMost}}),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithIdleTimeout(0),
		grpc.WithUserAgent("contactmill"),
	}
	if bearerOf := o.bearer(); bearerOf != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(credentialOf(bearerOf)))
	}
	target := "dns:///" + addr
	if o.Dialer != nil {
		opts = append(opts, grpc.WithContextDialer(o.Dialer))
	}
	if len(addrs) > 1 || o.Dialer != nil {
		r := manual.NewBuilderWithScheme("replicas")
		var state resolver.State
		for _, a := range addrs {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: a, ServerName: a})
		}
		r.InitialState(state)
		opts = append(opts, grpc.WithResolvers(r))
		target = "replicas:///" + addrs[0]
	}
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "bad-address", err, "address %q cannot be used", addr)
	}
	return conn, nil
}

func (o DialOptions) bearer() string {
	switch {
	case o.Key != "":
		return bearer + o.Key.Reveal()
	case o.ServiceKey != "":
		return bearer + servicePrefix + o.ServiceKey.Reveal()
	}
	return ""
}

// serviceConfig spreads calls over the replicas and names the methods that may be tried again. The library then does so.
func serviceConfig() string {
	type name struct {
		Service string `json:"service"`
		Method  string `json:"method"`
	}
	var names []name
	for _, m := range again {
		service, method, _ := strings.Cut(strings.TrimPrefix(m, "/"), "/")
		names = append(names, name{service, method})
	}
	b, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{map[string]any{"round_robin": map[string]any{}}},
		"methodConfig": []any{map[string]any{
			"name": names,
			"retryPolicy": map[string]any{
				"maxAttempts": 5, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2.5,
				"retryableStatusCodes": []string{"UNAVAILABLE"},
			},
		}},
	})
	if err != nil {
		panic(fmt.Sprintf("marshal service config: %v", err)) // of constants
	}
	return string(b)
}

// credentialOf sends the credential with each call. That it travels in the clear only where that is allowed, Dial has
// made sure.
type credentialOf string

func (c credentialOf) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{authorization: string(c)}, nil
}

func (credentialOf) RequireTransportSecurity() bool { return false }

func (credentialOf) String() string { return "redacted" }

func unaryFault(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return fault.FromStatus(invoke(ctx, method, req, reply, conn, opts...))
}

func streamFault(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		return nil, fault.FromStatus(err)
	}
	return clientStream{s}, nil
}

// clientStream is a stream whose errors are faults. io.EOF stays io.EOF.
type clientStream struct{ grpc.ClientStream }

func (s clientStream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	return md, fault.FromStatus(err)
}

func (s clientStream) CloseSend() error { return fault.FromStatus(s.ClientStream.CloseSend()) }

func (s clientStream) SendMsg(m any) error { return fault.FromStatus(s.ClientStream.SendMsg(m)) }

func (s clientStream) RecvMsg(m any) error { return fault.FromStatus(s.ClientStream.RecvMsg(m)) }
