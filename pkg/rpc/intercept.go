package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// checkAgain is how often the key of an open stream is looked at, so that a revoked one is not served for ever.
const checkAgain = remembered

// unary is the way of a unary call: recovery and account of it outside, then who calls, then its deadline.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	call := s.begin(info.FullMethod)
	defer func() { err = call.end(recover(), err) }()

	call.caller, _, err = s.gate.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	limit := unaryLimit
	if _, set := ctx.Deadline(); !set {
		limit = unaryDefault
	}
	ctx, cancel := context.WithTimeout(s.context(ctx, call.caller), limit)
	defer cancel()
	return handler(ctx, req)
}

// stream is the way of a stream. It has no deadline of ours: the methods bound their streams, each as it must.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	call := s.begin(info.FullMethod)
	defer func() { err = call.end(recover(), err) }()

	caller, key, err := s.gate.admit(stream.Context(), info.FullMethod)
	call.caller = caller
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(s.context(stream.Context(), caller))
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	if key != "" || infrastructure(info.FullMethod) {
		watching.Go(func() { s.watch(ctx, cancel, key) })
	}
	err = handler(srv, &serverStream{stream, ctx})
	if why, ok := errors.AsType[*fault.Error](context.Cause(ctx)); ok && err != nil {
		return why
	}
	return err
}

// watch ends a stream whose key was revoked; and at the server's end those that have no method of ours to end them.
func (s *Server) watch(ctx context.Context, cancel context.CancelCauseFunc, key string) {
	tick := time.NewTicker(checkAgain)
	defer tick.Stop()
	draining := s.draining
	if key != "" {
		draining = nil
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-draining:
			cancel(fault.New(fault.Unavailable, "draining", "the server is going away"))
			return
		case <-tick.C:
			if key == "" {
				continue
			}
			if _, err := s.gate.auth.Authenticate(ctx, key); fault.Of(err) == fault.Unauthenticated && err != nil {
				cancel(refused())
				return
			}
		}
	}
}

func (s *Server) context(ctx context.Context, c Caller) context.Context {
	ctx = context.WithValue(ctx, drainingKey{}, s.draining)
	if c.Role == 0 {
		return ctx
	}
	return WithCaller(ctx, c)
}

// serverStream is a stream with a context of ours.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // the interface asks for it
}

func (s *serverStream) Context() context.Context { return s.ctx }

// call is one call, for its metrics and its log line.
type call struct {
	s      *Server
	method string
	caller Caller
	begun  time.Time
}

func (s *Server) begin(method string) *call { return &call{s: s, method: method, begun: time.Now()} }

// end makes a status of whatever the call ended with, and tells of it.
func (c *call) end(panicked any, err error) error {
	if panicked != nil {
		err = fault.New(fault.Internal, "panic", "internal error")
		c.s.tel.Log.Error("call panicked", "method", c.method, "panic", describe(panicked), "stack", string(debug.Stack()))
	}
	st := fault.ToStatus(err)
	took := time.Since(c.begun)
	code := st.Code().String()
	c.s.tel.Call(c.method, code, took)
	c.log(err, code, took)
	return st.Err()
}

func (c *call) log(err error, code string, took time.Duration) {
	level := slog.LevelDebug
	if err != nil {
		switch kind := fault.Of(err); {
		case kind == fault.Internal || kind == fault.DataLoss:
			level = slog.LevelError
		case kind == fault.Unavailable || fault.Code(err) == "account-named":
			level = slog.LevelWarn
		}
	}
	ctx := context.Background()
	if !c.s.tel.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("method", c.method), slog.String("status", code), slog.Duration("took", took), slog.String("role", c.caller.Role.String())}
	if c.caller.Account != uuid.Nil {
		attrs = append(attrs, slog.String("account", c.caller.Account.String()))
	}
	if c.caller.KeyID != uuid.Nil {
		attrs = append(attrs, slog.String("key", c.caller.KeyID.String()))
	}
	if err != nil {
		attrs = append(attrs, telemetry.Err(err))
	}
	c.s.tel.Log.LogAttrs(ctx, level, "call", attrs...)
}

// describe tells what a panic was. What a program panics with may hold a value of a row; what the runtime does, not.
func describe(panicked any) string {
	if e, ok := panicked.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", panicked)
}
