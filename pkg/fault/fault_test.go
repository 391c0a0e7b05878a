package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/contactmill/contactmill/pkg/fault"
)

func kinds() []fault.Kind {
	var all []fault.Kind
	for k := fault.Internal; k <= fault.Stale; k++ {
		all = append(all, k)
	}
	return all
}

func TestEveryKindSurvivesTheWire(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range kinds() {
		if k.String() == "" || seen[k.String()] {
			t.Errorf("kind %d has no name of its own: %q", k, k)
		}
		seen[k.String()] = true

		sent := fault.New(k, "some-code", "text of %d", k).Hint("do %s", "that")
		got := fault.FromStatus(fault.ToStatus(fmt.Errorf("around: %w", sent)).Err())
		if !errors.Is(got, k) || fault.Of(got) != k {
			t.Errorf("%s arrived as %s", k, fault.Of(got))
		}
		if fault.Code(got) != "some-code" || fault.HintOf(got) != "do that" || got.Error() != sent.Error() {
			t.Errorf("%s arrived as code %q, hint %q, text %q", k, fault.Code(got), fault.HintOf(got), got)
		}
		for _, other := range kinds() {
			if other != k && errors.Is(got, other) {
				t.Errorf("%s is also %s", k, other)
			}
		}
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
	want := map[fault.Kind]bool{fault.Unavailable: true, fault.Aborted: true, fault.Exhausted: true, fault.Deadline: true}
	for _, k := range kinds() {
		if k.Transient() != want[k] {
			t.Errorf("%s.Transient() = %t", k, k.Transient())
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	inner := fault.New(fault.NotFound, "no-job", "no such job")
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
		code string
	}{
		"plain":           {io.ErrUnexpectedEOF, fault.Internal, "internal"},
		"cancelled":       {fmt.Errorf("x: %w", context.Canceled), fault.Cancelled, "cancelled"},
		"deadline":        {context.DeadlineExceeded, fault.Deadline, "deadline"},
		"bare kind":       {fmt.Errorf("x: %w", fault.Exists), fault.Exists, "exists"},
		"wrapped":         {fmt.Errorf("x: %w", inner), fault.NotFound, "no-job"},
		"given anew":      {fault.Wrap(fault.Invalid, "bad-parent", fmt.Errorf("x: %w", inner), "bad parent"), fault.Invalid, "bad-parent"},
		"foreign status":  {status.Error(codes.OutOfRange, "x"), fault.Invalid, "invalid"},
		"unknown status":  {status.Error(codes.Unknown, "x"), fault.Internal, "internal"},
		"unavailable":     {status.Error(codes.Unavailable, "x"), fault.Unavailable, "unavailable"},
		"beyond the list": {fault.Kind(200), fault.Internal, "internal"},
	} {
		if got := fault.Of(c.err); got != c.kind {
			t.Errorf("%s: Of = %s, want %s", name, got, c.kind)
		}
		if got := fault.Code(c.err); got != c.code {
			t.Errorf("%s: Code = %q, want %q", name, got, c.code)
		}
	}
}

func TestWrapGivesOneKindAndKeepsTheCause(t *testing.T) {
	t.Parallel()
	err := fault.Wrap(fault.Unavailable, "", fault.Wrap(fault.NotFound, "no-object", io.EOF, "no such object"), "read chunk")
	if errors.Is(err, fault.NotFound) || !errors.Is(err, fault.Unavailable) || !errors.Is(err, io.EOF) {
		t.Errorf("kinds found: not found %t, unavailable %t, io.EOF %t; want false, true, true",
			errors.Is(err, fault.NotFound), errors.Is(err, fault.Unavailable), errors.Is(err, io.EOF))
	}
	if want := "read chunk: no such object: EOF"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
}

func TestOnlyThePublicTextCrosses(t *testing.T) {
	t.Parallel()
	secret := errors.New("ada@example.com")
	for _, err := range []error{
		secret,
		fmt.Errorf("row of %w", secret),
		fmt.Errorf("around %s: %w", secret, fault.Wrap(fault.Aborted, "busy", secret, "job 7 is being applied")),
		fault.Wrap(fault.Internal, "", secret, ""),
	} {
		if s := fault.ToStatus(err); strings.Contains(s.String(), "ada@") || s.Message() == "" {
			t.Errorf("status of %q tells %q", err, s)
		}
	}
}

func TestContextErrorsAreFoundAtTheCaller(t *testing.T) {
	t.Parallel()
	if err := fault.FromStatus(status.Error(codes.Canceled, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	if err := fault.FromStatus(status.Error(codes.DeadlineExceeded, "x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not context.DeadlineExceeded", err)
	}
}

func TestFromStatusPasses(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, io.EOF, errors.New("x")} {
		if got := fault.FromStatus(err); got != err {
			t.Errorf("FromStatus(%v) = %v", err, got)
		}
	}
}
