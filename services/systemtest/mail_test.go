package systemtest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// letter is a mail that the catcher took.
type letter struct {
	file, id, to, subject, text string
}

// letters to an address, in the order they came.
func (s *target) letters(t *testing.T, to string) []letter {
	t.Helper()
	var found []letter
	for n := 1; ; n++ {
		name := filepath.Join(s.dir, "mail", fmt.Sprint(n, ".eml"))
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err := read(f)
		f.Close()
		if err != nil {
			t.Fatalf("read %s: %v", name, err)
		}
		l.file = name
		if l.to == to || to == "" {
			found = append(found, l)
		}
	}
}

func read(r io.Reader) (letter, error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return letter{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return letter{}, err
	}
	if n := len(m.Header["X-Envelope-To"]); n != 1 {
		return letter{}, fmt.Errorf("sent to %d recipients at once, want one", n)
	}
	l := letter{id: strings.TrimSpace(m.Header.Get("Message-Id")), to: strings.Trim(m.Header.Get("X-Envelope-To"), "<>"), subject: subject}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return letter{}, fmt.Errorf("content type %s: %w", kind, err)
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
	if err != nil {
		return letter{}, err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	l.text = string(text)
	return l, err
}

var link = regexp.MustCompile(`http://[^ \r\n]+`)

func (l letter) links() []string { return link.FindAllString(l.text, -1) }

// mailed waits until the address has so many mails, and returns them.
func (s *target) mailed(t *testing.T, to string, n int) []letter {
	t.Helper()
	var all []letter
	await(t, func() (bool, string) {
		all = s.letters(t, to)
		return len(all) >= n, fmt.Sprintf("%d mails to %s, want %d", len(all), to, n)
	})
	if len(all) > n {
		t.Fatalf("%d mails to %s, want %d: %+v", len(all), to, n, all)
	}
	return all
}
