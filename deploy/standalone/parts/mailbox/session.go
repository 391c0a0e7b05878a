package mailbox

import (
	"io"
	"slices"
	"time"

	"github.com/emersion/go-smtp"
)

// session is one client's dialogue.
type session struct {
	server *Server
	conn   *smtp.Conn
	from   string
	to     []string
	hangUp bool // after the answer to the message
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(body io.Reader) error {
	e := Envelope{From: s.from, To: slices.Clone(s.to), Attempt: s.server.attempt(s.from, s.to)}
	fault := s.server.fault(e)
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.server.stopping:
		}
	}

	switch fault.Do {
	case Refuse:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again later"}
	case Reject:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case DropUnkept:
		return s.drop()
	}
	if err := s.server.keep(e, body); err != nil {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "the message could not be stored"}
	}
	switch fault.Do {
	case DropKept:
		return s.drop()
	case DropAnswered:
		s.hangUp = true
	}
	return nil
}

// drop cuts the connection; the library's answer then goes nowhere.
func (s *session) drop() error {
	_ = s.conn.Conn().Close() // cut on purpose
	return io.ErrClosedPipe
}

// Reset is called by the library after the answer to a message, and by RSET.
func (s *session) Reset() {
	s.from, s.to = "", nil
	if s.hangUp {
		_ = s.conn.Conn().Close() // cut on purpose
	}
}

func (s *session) Logout() error { return nil }
