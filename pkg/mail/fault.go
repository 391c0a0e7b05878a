package mail

import (
	"context"
	"errors"
	"net"
	"net/textproto"

	gomail "github.com/wneessen/go-mail"

	"github.com/contactmill/contactmill/pkg/fault"
)

// dialFault is for all that happens before a message is named: never the message's doing.
func dialFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if r, ok := errors.AsType[*textproto.Error](err); ok {
		return fault.New(fault.Unavailable, "mail-unavailable", "mail server refuses us with code %d", r.Code).
			Hint("check the mail server's address, user and password")
	}
	if n, ok := errors.AsType[net.Error](err); ok {
		return fault.Wrap(fault.Unavailable, "mail-unavailable", n, "mail server cannot be reached")
	}
	return fault.Wrap(fault.Unavailable, "mail-unavailable", err, "mail server cannot be used").
		Hint("check that the mail server offers the encryption and log-in that its address asks for")
}

// sendFault reads how the dialogue about a message failed. The library's text names the recipient and quotes the server, so it stays here.
func sendFault(ctx context.Context, err error) error {
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return fault.New(fault.Unavailable, "mail-unavailable", "mail dialogue broke off")
	}
	code, at := e.ErrorCode(), step(e.Reason)
	switch {
	case code == 0 && e.Reason == gomail.ErrSMTPDataClose:
		return fault.New(fault.Unavailable, "mail-unknown", "mail server did not say whether it took the message")
	case code == 0 && ctx.Err() != nil:
		return ended(ctx)
	case code == 0 && (e.Reason == gomail.ErrGetSender || e.Reason == gomail.ErrGetRcpts):
		return fault.New(fault.Invalid, "mail-message", "message cannot be sent: %s", at)
	case code == 0:
		return fault.New(fault.Unavailable, "mail-unavailable", "mail dialogue broke off at %s", at)
	case code == 530, code == 534, code == 535, code == 538: // about us, not about the message
		return fault.New(fault.Unavailable, "mail-unavailable", "mail server refuses us at %s with code %d", at, code).
			Hint("check user, password and encryption of the mail server's address")
	case code >= 500:
		return fault.New(fault.Invalid, "mail-refused", "mail server refuses the message at %s with code %d %s", at, code, e.EnhancedStatusCode())
	}
	return fault.New(fault.Unavailable, "mail-deferred", "mail server puts the message off at %s with code %d %s", at, code, e.EnhancedStatusCode())
}

func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Deadline, "deadline", "mail was not sent in time")
	}
	return fault.New(fault.Cancelled, "cancelled", "mail was not sent: cancelled")
}

func step(r gomail.SendErrReason) string {
	switch r {
	case gomail.ErrGetSender, gomail.ErrSMTPMailFrom:
		return "the sender"
	case gomail.ErrGetRcpts, gomail.ErrSMTPRcptTo:
		return "the recipient"
	case gomail.ErrConnCheck:
		return "the greeting"
	}
	return "the content"
}
