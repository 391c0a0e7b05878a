// Package fault is how errors cross a boundary: between packages that must decide (retry, park, refuse) and between
// services over gRPC. An error has a kind, which decides; a code, which programs may compare; a text, which informs
// people; and sometimes a hint, which says what to do.
//
// The text of a fault is public: it crosses the wire as it is and therefore never holds contact data. What a fault
// wraps is private: it stays in the process that saw it, for its log.
package fault

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
)

// Kind says what sort of error it is. A kind is itself an error, so that errors.Is(err, fault.NotFound) works, at
// the caller's end of an RPC too.
type Kind uint8

// The kinds. Whoever adds one adds its line to the table below.
const (
	Internal        Kind = iota // our bug or a broken invariant; also every error without a kind
	Invalid                     // the request can never succeed as it is
	NotFound                    // no such thing, or somebody else's: both look alike
	Exists                      // there is one already
	Precondition                // not in the state that this needs
	Aborted                     // lost against somebody else; the same again may work
	Unavailable                 // a part we need cannot be reached
	Exhausted                   // a quota or limit is used up
	Unauthenticated             // who are you
	Denied                      // we know you, and you may not
	DataLoss                    // bytes are not those that were written
	Cancelled                   // the caller went away
	Deadline                    // not in time
	Unimplemented               // no such method
	Stale                       // a fenced-off writer: its lease or token is no longer the newest
)

// table is the one place that says what a kind means to others.
var table = [...]struct {
	name      string
	code      codes.Code
	transient bool // worth trying again, and never charged to a job
}{
	Internal:        {"internal", codes.Internal, false},
	Invalid:         {"invalid", codes.InvalidArgument, false},
	NotFound:        {"not-found", codes.NotFound, false},
	Exists:          {"exists", codes.AlreadyExists, false},
	Precondition:    {"precondition", codes.FailedPrecondition, false},
	Aborted:         {"aborted", codes.Aborted, true},
	Unavailable:     {"unavailable", codes.Unavailable, true},
	Exhausted:       {"exhausted", codes.ResourceExhausted, true},
	Unauthenticated: {"unauthenticated", codes.Unauthenticated, false},
	Denied:          {"denied", codes.PermissionDenied, false},
	DataLoss:        {"data-loss", codes.DataLoss, false},
	Cancelled:       {"cancelled", codes.Canceled, false},
	Deadline:        {"deadline", codes.DeadlineExceeded, true},
	Unimplemented:   {"unimplemented", codes.Unimplemented, false},
	Stale:           {"stale", codes.FailedPrecondition, false},
}

// Error makes a kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

// String is the kind's name in kebab-case.
func (k Kind) String() string {
	if int(k) >= len(table) {
		return table[Internal].name
	}
	return table[k].name
}

// Transient tells whether the same call may succeed later without anybody changing anything.
func (k Kind) Transient() bool { return int(k) < len(table) && table[k].transient }

// Error is an error with a kind.
type Error struct {
	kind  Kind
	code  string
	text  string
	hint  string
	cause error
}

// New makes a fault. code is stable, kebab-case and says what happened to a program ("request-id-reused"); an empty
// code stands for the kind's own name. The text says it to a person and crosses the wire.
func New(k Kind, code, format string, args ...any) *Error {
	if int(k) >= len(table) {
		k = Internal
	}
	return &Error{kind: k, code: code, text: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault of an error that was met. The kind of the new fault replaces any kind within err: errors.Is and
// Of see only the new one. err's text stays on this side of the wire.
func Wrap(k Kind, code string, err error, format string, args ...any) *Error {
	e := New(k, code, format, args...)
	if _, ok := errors.AsType[*Error](err); ok {
		err = reclassified{err}
	}
	e.cause = err
	return e
}

// Hint says what the reader can do about it, and returns e.
func (e *Error) Hint(format string, args ...any) *Error {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// Error is the public text, followed by what was wrapped: for logs, not for callers.
func (e *Error) Error() string {
	switch {
	case e.cause == nil && e.text == "":
		return e.kind.String()
	case e.cause == nil:
		return e.text
	case e.text == "":
		return e.cause.Error()
	}
	return e.text + ": " + e.cause.Error()
}

// Unwrap returns what was wrapped.
func (e *Error) Unwrap() error { return e.cause }

// Is holds for the fault's kind, and for the context errors that mean the same.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.kind == Cancelled
	case context.DeadlineExceeded:
		return e.kind == Deadline
	}
	k, ok := target.(Kind)
	return ok && k == e.kind
}

// Of is the kind of err: that of its outermost fault, Cancelled or Deadline for the context's errors, by status for
// gRPC's, and Internal for all else. Of(nil) is Internal too: ask only for errors.
func Of(err error) Kind {
	if e := find(err); e != nil {
		return e.kind
	}
	return Internal
}

// Code is the stable code of err; of an error that carries none it is the name of its kind.
func Code(err error) string {
	if e := find(err); e != nil && e.code != "" {
		return e.code
	}
	return Of(err).String()
}

// HintOf says what to do about err, or nothing.
func HintOf(err error) string {
	if e := find(err); e != nil {
		return e.hint
	}
	return ""
}

// find is the outermost fault within err, or one made of an error whose meaning we know, or nil.
func find(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if k, ok := errors.AsType[Kind](err); ok {
		if int(k) >= len(table) {
			k = Internal
		}
		return &Error{kind: k, text: k.String(), cause: err}
	}
	if errors.Is(err, context.Canceled) {
		return &Error{kind: Cancelled, text: "cancelled", cause: err}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{kind: Deadline, text: "not done in time", cause: err}
	}
	return ofStatus(err)
}

// reclassified hides the faults within an error, so that a kind given anew is the only one that is found.
type reclassified struct{ err error }

func (r reclassified) Error() string { return r.err.Error() }

func (r reclassified) Is(target error) bool {
	if _, ok := target.(Kind); ok {
		return false
	}
	return errors.Is(r.err, target)
}

func (r reclassified) As(target any) bool {
	switch target.(type) {
	case **Error, *Kind:
		return false
	}
	return errors.As(r.err, target)
}
