// Package mail sends one message to one recipient over SMTP.
//
// What went wrong is told apart: Unavailable is worth another try, Invalid is not. If the line breaks after the whole message was sent and
// before the server's answer, nobody can know whether it was taken (RFC 1047): that is Unavailable with the code "mail-unknown", and the
// same Message-ID on the next try lets the receiver see that it is the same. Errors name no recipient and quote no server.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	// timeout bounds connecting, and once more the dialogue.
	timeout = 30 * time.Second

	portSMTP  = 25
	portSMTPS = 465

	maxSubject = 500 // bytes; a subject is one line of a list
	maxID      = 200
)

// Message to one recipient. Subject and bodies are UTF-8.
type Message struct {
	ID      string // of the Message-ID; letters, digits and ._-, with or without @domain; the same for each try
	From    string // "Name <address>" or an address; "" for the sender's own
	To      string // an address
	Subject string
	Text    string
	HTML    string // "" for none
}

// Sender is one SMTP server. It is safe for concurrent use.
type Sender struct {
	host    string
	port    int
	tls     bool // from the first byte on
	policy  gomail.TLSPolicy
	user    string
	secret  string
	from    *netmail.Address
	timeout time.Duration
	roots   *x509.CertPool // nil: the system's
}

// New makes a sender of "smtp(s)://[user:password@]host[:port]?from=ADDRESS[&tls=must|try|none]". With smtp the line is encrypted by STARTTLS:
// by default it must be if there is a password, and is if the server can otherwise.
func New(address string) (*Sender, error) {
	bad := func(why string) error { // without the address: it holds a password
		return fault.New(fault.Invalid, "mail-address", "address of the mail server: %s", why).Hint("smtp(s)://[user:password@]host[:port]?from=ADDRESS")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, bad("not a URL")
	}
	s := &Sender{host: u.Hostname(), user: u.User.Username(), timeout: timeout}
	s.secret, _ = u.User.Password()
	switch {
	case u.Scheme == "smtps":
		s.tls, s.port = true, portSMTPS
	case u.Scheme == "smtp":
		s.port = portSMTP
	default:
		return nil, bad("the scheme must be smtp or smtps")
	}
	if s.host == "" {
		return nil, bad("no host")
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, bad("the port is not 1 to 65535")
		}
	}
	switch mode := u.Query().Get("tls"); {
	case mode == "must", mode == "" && s.user != "":
		s.policy = gomail.TLSMandatory
	case mode == "try", mode == "":
		s.policy = gomail.TLSOpportunistic
	case mode == "none":
		s.policy = gomail.NoTLS
	default:
		return nil, bad("tls must be must, try or none")
	}
	if s.from, err = parseAddress(u.Query().Get("from")); err != nil {
		return nil, bad("from is no mail address")
	}
	return s, nil
}

// Send delivers a message to the server. nil means that the server has taken it.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	line := &line{}
	client, err := s.client(line)
	if err != nil {
		return fault.Wrap(fault.Internal, "mail-setup", err, "set up the mail client")
	}
	// The dialogue knows deadlines only: when ctx ends, the line is cut.
	stop := context.AfterFunc(ctx, line.cut)
	defer stop()

	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		line.cut()
		return dialFault(ctx, err)
	}
	err = client.SendWithSMTPClient(session, msg)
	if err != nil && !msg.IsDelivered() {
		line.cut() // no QUIT: within the content it would end the message and send half of it
		return sendFault(ctx, err)
	}
	// The message is taken; how the goodbye goes does not matter.
	_ = client.CloseWithSMTPClient(session)
	line.cut()
	return nil
}

func (s *Sender) client(l *line) (*gomail.Client, error) {
	config := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
	opts := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(s.timeout), gomail.WithTLSPolicy(s.policy), gomail.WithTLSConfig(config),
		gomail.WithDialContextFunc(l.open(s.tls, config)),
	}
	if s.tls {
		opts = append(opts, gomail.WithSSL())
	}
	if s.user != "" {
		opts = append(opts, gomail.WithUsername(s.user), gomail.WithPassword(s.secret),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(s.host, opts...)
}

// compose makes a message whose headers hold just what they should.
func (s *Sender) compose(m Message) (*gomail.Msg, error) {
	bad := func(what string) error {
		return fault.New(fault.Invalid, "mail-message", "message cannot be sent: %s", what)
	}
	from := s.from
	if m.From != "" {
		var err error
		if from, err = parseAddress(m.From); err != nil {
			return nil, bad("sender is no mail address")
		}
	}
	to, err := parseAddress(m.To)
	switch {
	case err != nil || to.Name != "" || to.Address != m.To:
		return nil, bad("recipient is no plain mail address")
	case hasControl(m.Subject) || len(m.Subject) > maxSubject:
		return nil, bad("subject is longer than one line")
	case m.Text == "":
		return nil, bad("no text")
	}
	id, ok := messageID(m.ID, from)
	if !ok {
		return nil, bad("its id cannot be a Message-ID")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(from.Name, from.Address); err != nil {
		return nil, bad("sender is refused")
	}
	if err := msg.To(to.Address); err != nil {
		return nil, bad("recipient is refused")
	}
	msg.SetMessageIDWithValue(id)
	msg.SetDate()
	msg.Subject(m.Subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: do not answer automatically
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// messageID returns id with the sender's domain if it has none.
func messageID(id string, from *netmail.Address) (string, bool) {
	left, right, ok := strings.Cut(id, "@")
	if !ok {
		right = from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	}
	return left + "@" + right, idPart(left) && idPart(right) && len(id) <= maxID
}

func idPart(s string) bool {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}) < 0
}

func parseAddress(s string) (*netmail.Address, error) {
	if hasControl(s) {
		return nil, fault.New(fault.Invalid, "mail-message", "control character in a mail address")
	}
	return netmail.ParseAddress(s)
}

func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 }) >= 0
}
