package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/contactmill/contactmill/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message() Message {
	return Message{ID: uuid.NewString(), To: "someone@example.com", Subject: "Job 7 is done", Text: "3 rows added\n"}
}

// caught waits for nothing: the catcher writes a message before it says 250.
func caught(t *testing.T, id string) *netmail.Message {
	t.Helper()
	dir := os.Getenv("CONTACTMILL_TEST_MAILDIR")
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), id) {
			m, err := netmail.ReadMessage(strings.NewReader(string(b)))
			if err != nil {
				t.Fatalf("message is not readable: %v", err)
			}
			return m
		}
	}
	t.Fatalf("no message with id %s among %d in %s", id, len(files), dir)
	return nil
}

func TestSend(t *testing.T) {
	t.Parallel()
	address := os.Getenv("CONTACTMILL_TEST_SMTP")
	if address == "" || os.Getenv("CONTACTMILL_TEST_MAILDIR") == "" {
		t.Fatal("CONTACTMILL_TEST_SMTP or CONTACTMILL_TEST_MAILDIR is not set: run the tests by `make test`, which starts the parts")
	}
	s, err := New(address + "?from=Contact%20M%C3%BCll%20%3Cmill%40example.org%3E")
	if err != nil {
		t.Fatal(err)
	}
	want := Message{
		ID: uuid.NewString(), To: "someone@example.com", Subject: "Auftrag 7: 3 Zeilen hinzugefügt ✓", Text: "Grüße\n.\nafter a dot\n", HTML: "<p>Grüße & more</p>\n",
	}
	if err := s.Send(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	m := caught(t, want.ID)
	decode := func(h string) string {
		s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get(h))
		if err != nil {
			t.Error(err)
		}
		return s
	}
	got := map[string]string{
		"Message-ID": m.Header.Get("Message-ID"), "To": m.Header.Get("To"), "From": decode("From"), "Subject": decode("Subject"), "Auto-Submitted": decode("Auto-Submitted"),
	}
	if diff := cmp.Diff(map[string]string{
		"Message-ID": "<" + want.ID + "@example.org>", "To": "<someone@example.com>", "From": "Contact Müll <mill@example.org>", "Subject": want.Subject,
		"Auto-Submitted": "auto-generated",
	}, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if _, err := m.Header.Date(); err != nil {
		t.Errorf("date: %v", err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type is %s, %v", kind, err)
	}
	bodies := map[string]string{}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		bodies[p.Header.Get("Content-Type")] = strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	if diff := cmp.Diff(map[string]string{"text/plain; charset=UTF-8": want.Text, "text/html; charset=UTF-8": want.HTML}, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestInjectionIsRefused(t *testing.T) {
	t.Parallel()
	s, err := New("smtp://127.0.0.1:1?from=mill@example.org") // nobody is asked
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Message){
		"subject with a line end":   func(m *Message) { m.Subject = "a\r\nBcc: b@example.com" },
		"subject with a bare LF":    func(m *Message) { m.Subject = "a\nb" },
		"subject with NUL":          func(m *Message) { m.Subject = "a\x00" },
		"subject without end":       func(m *Message) { m.Subject = strings.Repeat("a", maxSubject+1) },
		"recipient with a line end": func(m *Message) { m.To = "a@example.com\r\nRCPT TO:<b@example.com>" },
		"two recipients":            func(m *Message) { m.To = "a@example.com, b@example.com" },
		"recipient with a name":     func(m *Message) { m.To = "A <a@example.com>" },
		"no recipient":              func(m *Message) { m.To = "" },
		"sender with a line end":    func(m *Message) { m.From = "A\r\nBcc: b@example.com <a@example.com>" },
		"no sender":                 func(m *Message) { m.From = "A" },
		"id with a line end":        func(m *Message) { m.ID = "a\r\nBcc: b@example.com" },
		"id with a bracket":         func(m *Message) { m.ID = "a>@b" },
		"no id":                     func(m *Message) { m.ID = "" },
		"two at signs":              func(m *Message) { m.ID = "a@b@c" },
		"no text":                   func(m *Message) { m.Text = "" },
	} {
		m := message()
		spoil(&m)
		err := s.Send(t.Context(), m)
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
		if strings.Contains(fmt.Sprint(err), "example.com") {
			t.Errorf("%s: error %q names the recipient", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "http://h?from=a@b.c", "smtp://?from=a@b.c", "smtp://h", "smtp://h?from=x", "smtp://h?from=a@b.c%0d%0aX:y", "smtp://h:0?from=a@b.c", "smtp://h:99999?from=a@b.c",
		"smtp://u:geheim@h?from=a@b.c&tls=maybe", "smtp://u:geheim@h:x?from=a@b.c",
	} {
		if _, err := New(bad); !errors.Is(err, fault.Invalid) || strings.Contains(fmt.Sprint(err), "geheim") {
			t.Errorf("new %q: %v, want Invalid without the password", bad, err)
		}
	}
}

// script is an SMTP server that answers by a table: command -> answer; "." is the end of the content. The answer "cut" closes the line, "hang"
// calls hung and waits until the client goes.
type script map[string]string

func (sc script) serve(t *testing.T) *Sender { return sc.serveTLS(t, "smtp", nil, nil, func() {}) }

func (sc script) serveTLS(t *testing.T, scheme string, keys *tls.Config, user *url.Userinfo, hung func()) *Sender {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if scheme == "smtps" {
		l = tls.NewListener(l, keys)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { sc.talk(c, keys, hung) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	address := url.URL{Scheme: scheme, User: user, Host: l.Addr().String(), RawQuery: "from=mill@example.org"}
	s, err := New(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// talk answers one client. A server with keys offers STARTTLS, and log-in once the line is encrypted.
func (sc script) talk(c net.Conn, keys *tls.Config, hung func()) {
	defer func() { _ = c.Close() }()
	in := textproto.NewReader(bufio.NewReader(c))
	say := func(command, usual string) bool {
		answer, ok := sc[command]
		if !ok {
			answer = usual
		}
		switch answer {
		case "cut":
			return false
		case "hang":
			hung()
			_, _ = io.Copy(io.Discard, c)
			return false
		}
		_, err := io.WriteString(c, answer+"\r\n")
		return err == nil
	}
	if !say("hello", "220 test ready") {
		return
	}
	for {
		text, err := in.ReadLine()
		if err != nil {
			return
		}
		command, _, _ := strings.Cut(strings.ToUpper(text), " ")
		usual := "250 2.0.0 fine"
		switch command {
		case "DATA":
			usual = "354 go on"
		case "QUIT":
			usual = "221 bye"
		case "STARTTLS":
			usual = "220 go on"
		case "AUTH":
			usual = "235 2.7.0 welcome"
		case "EHLO":
			if _, encrypted := c.(*tls.Conn); encrypted {
				usual = "250-test\r\n250 AUTH PLAIN"
			} else if keys != nil {
				usual = "250-test\r\n250 STARTTLS"
			}
		}
		if !say(command, usual) || command == "QUIT" {
			return
		}
		if command == "STARTTLS" {
			c = tls.Server(c, keys)
			in = textproto.NewReader(bufio.NewReader(c))
		}
		if command == "DATA" && sc["DATA"] == "" {
			if _, err := in.ReadDotBytes(); err != nil || !say(".", "250 2.0.0 taken") {
				return
			}
		}
	}
}

func TestWhatWentWrong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script script
		kind   fault.Kind
		code   string
	}{
		"not ready":                      {script{"hello": "421 later"}, fault.Unavailable, "mail-unavailable"},
		"cut at the greeting":            {script{"hello": "cut"}, fault.Unavailable, "mail-unavailable"},
		"sender put off":                 {script{"MAIL": "451 4.3.0 later for someone@example.com"}, fault.Unavailable, "mail-deferred"},
		"log-in missing":                 {script{"MAIL": "530 5.7.0 log in first"}, fault.Unavailable, "mail-unavailable"},
		"recipient put off":              {script{"RCPT": "450 4.2.1 greylisted someone@example.com"}, fault.Unavailable, "mail-deferred"},
		"recipient refused":              {script{"RCPT": "550 5.1.1 no such user someone@example.com"}, fault.Invalid, "mail-refused"},
		"cut at the recipient":           {script{"RCPT": "cut"}, fault.Unavailable, "mail-unavailable"},
		"content refused at once":        {script{"DATA": "554 5.7.1 no"}, fault.Invalid, "mail-refused"},
		"content refused":                {script{".": "552 5.3.4 too big"}, fault.Invalid, "mail-refused"},
		"content put off":                {script{".": "452 4.3.1 full"}, fault.Unavailable, "mail-deferred"},
		"cut before the last answer":     {script{".": "cut"}, fault.Unavailable, "mail-unknown"},
		"last answer is no SMTP":         {script{".": "what?"}, fault.Unavailable, "mail-unknown"},
		"shut down with the last answer": {script{".": "421 4.3.2 going down"}, fault.Unavailable, "mail-deferred"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.script.serve(t).Send(t.Context(), message())
			if !errors.Is(err, tc.kind) || fault.Code(err) != tc.code {
				t.Errorf("error %v is %s %s, want %s %s", err, fault.Of(err), fault.Code(err), tc.kind, tc.code)
			}
			if strings.Contains(fmt.Sprint(err), "someone") {
				t.Errorf("error %q names the recipient", err)
			}
		})
	}
}

func TestTakenIsTaken(t *testing.T) {
	t.Parallel()
	for _, s := range []script{{"RSET": "cut"}, {"RSET": "500 what"}, {"QUIT": "cut"}} {
		if err := s.serve(t).Send(t.Context(), message()); err != nil {
			t.Errorf("with %v after the message was taken: %v", s, err)
		}
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	for at, code := range map[string]string{"hello": "mail-unavailable", "RCPT": "mail-unavailable", ".": "mail-unknown"} {
		t.Run("silent at "+at, func(t *testing.T) {
			t.Parallel()
			s := script{at: "hang"}.serve(t)
			s.timeout = time.Second
			if err := s.Send(t.Context(), message()); !errors.Is(err, fault.Unavailable) || fault.Code(err) != code {
				t.Errorf("%v is %s %s, want unavailable %s", err, fault.Of(err), fault.Code(err), code)
			}
		})
		t.Run("cancelled at "+at, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := script{at: "hang"}.serveTLS(t, "smtp", nil, nil, cancel)
			want := fault.Cancelled
			if at == "." {
				want = fault.Unavailable // it may have been taken
			}
			if err := s.Send(ctx, message()); !errors.Is(err, want) {
				t.Errorf("%v is %s, want %s", err, fault.Of(err), want)
			}
		})
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	keys := &tls.Config{Certificates: web.TLS.Certificates}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	user := url.UserPassword("user", "geheim")
	for name, tc := range map[string]struct {
		scheme string
		keys   *tls.Config
		roots  *x509.CertPool
		script script
		ok     bool
	}{
		"smtps":                    {"smtps", keys, roots, nil, true},
		"STARTTLS":                 {"smtp", keys, roots, nil, true},
		"unknown certificate":      {"smtps", keys, nil, nil, false},
		"STARTTLS, unknown":        {"smtp", keys, nil, nil, false},
		"password on a bare line":  {"smtp", nil, roots, nil, false},
		"password that is refused": {"smtps", keys, roots, script{"AUTH": "535 5.7.8 no"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tc.script.serveTLS(t, tc.scheme, tc.keys, user, func() {})
			s.roots = tc.roots
			err := s.Send(t.Context(), message())
			if tc.ok && err != nil || !tc.ok && !errors.Is(err, fault.Unavailable) {
				t.Errorf("send: %v, want it sent: %t", err, tc.ok)
			}
			if strings.Contains(fmt.Sprint(err), "geheim") {
				t.Errorf("error %q has the password", err)
			}
		})
	}
}
