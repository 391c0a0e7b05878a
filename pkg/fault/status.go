package fault

import (
	"errors"
	"io"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Domain names us in the ErrorInfo of a status.
const Domain = "contactmill"

// keys of ErrorInfo.Metadata
const (
	kindKey = "kind"
	hintKey = "hint"
)

// ToStatus is err as gRPC sends it: the code by the table, the public text, and an ErrorInfo with the fault's code as
// reason, its kind and its hint. Of an error that is no fault nothing is told but that it was internal. nil is nil.
func ToStatus(err error) *status.Status {
	if err == nil {
		return nil
	}
	e := find(err)
	if e == nil {
		e = &Error{kind: Internal, text: "internal error"}
	}
	text := e.text
	if text == "" {
		text = e.kind.String()
	}
	info := &errdetails.ErrorInfo{Reason: e.reason(), Domain: Domain, Metadata: map[string]string{kindKey: e.kind.String()}}
	if e.hint != "" {
		info.Metadata[hintKey] = e.hint
	}
	s := status.New(table[e.kind].code, text)
	if d, err := s.WithDetails(info); err == nil {
		return d
	}
	return s // only a text that is not UTF-8 comes here
}

// GRPCStatus lets gRPC find the status of a fault that reaches it unmapped.
func (e *Error) GRPCStatus() *status.Status { return ToStatus(e) }

// FromStatus is the fault that the other side meant. nil, io.EOF and what is no status pass unchanged.
func FromStatus(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if e := ofStatus(err); e != nil {
		return e
	}
	return err
}

// ofStatus reads a gRPC status within err; nil if there is none.
func ofStatus(err error) *Error {
	carrier, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return nil
	}
	s := carrier.GRPCStatus()
	if s.Code() == codes.OK {
		return nil
	}
	e := &Error{kind: ofCode(s.Code()), text: s.Message()}
	for _, d := range s.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != Domain {
			continue
		}
		e.code, e.hint = info.GetReason(), info.GetMetadata()[hintKey]
		if k, ok := named(info.GetMetadata()[kindKey]); ok && table[k].code == s.Code() {
			e.kind = k
		}
		if e.code == e.kind.String() {
			e.code = ""
		}
	}
	return e
}

func (e *Error) reason() string {
	if e.code != "" {
		return e.code
	}
	return e.kind.String()
}

func ofCode(c codes.Code) Kind {
	if c == codes.OutOfRange {
		return Invalid
	}
	for k, line := range table {
		if line.code == c {
			return Kind(k)
		}
	}
	return Internal
}

func named(name string) (Kind, bool) {
	for k, line := range table {
		if line.name == name {
			return Kind(k), true
		}
	}
	return Internal, false
}
