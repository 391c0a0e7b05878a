package email

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/mail"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// maxRecipients bounds who is told of one job; accounts and uploads take fewer.
	maxRecipients = 200

	// giveUp is how long a mail server may be away before a mail counts as refused.
	giveUp = 3 * 24 * time.Hour

	// noteAgain is the time between attempts to note a mail that was handed over.
	noteAgain = 250 * time.Millisecond
)

// notify tells every recipient of a job's end or question once. A mail server that is away gives the stage back; those who
// were told by then are not told again.
func (s *Service) notify(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	n := noticeOf(c)
	recipients := slices.Clone(c.Work.Recipients)
	slices.Sort(recipients)
	recipients = slices.Compact(recipients)
	if len(recipients) > maxRecipients {
		s.tel.Log.Error("too many recipients", "job", n.job, "recipients", len(recipients), "told", maxRecipients)
		recipients = recipients[:maxRecipients]
	}
	ids := make([]string, len(recipients))
	for i, r := range recipients {
		ids[i] = messageID(n, r)
	}
	due, err := s.deliveries.open(ctx, n, recipients, ids)
	if err != nil {
		return nil, fmt.Errorf("note mails: %w", err)
	}
	text, err := compose(c.Work, s.cfg.WebURL)
	if err != nil {
		return nil, err
	}
	var away error
	for i, d := range due {
		c.Progress(int64(i), int64(len(due)))
		if err := s.deliver(ctx, n, d, text); err != nil {
			if !fault.Of(err).Transient() || ctx.Err() != nil {
				return nil, err
			}
			away = errors.Join(away, err)
		}
	}
	if away != nil {
		return nil, fault.Wrap(fault.Unavailable, "mail-away", away, "some mails could not be sent yet")
	}
	ok, bad, err := s.deliveries.tally(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("count mails: %w", err)
	}
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Notified{Notified: &ingestv1.NotifyResult{Sent: ok, Refused: bad}}}, nil
}

// noticeOf names what is told: each question of a job is another one.
func noticeOf(c *stage.Claim) notice {
	n := notice{c.Account, c.Job, c.Work.GetNotice()}
	if q := c.Work.GetJob().GetQuestion(); n.name == question && q != nil {
		h := sha256.New()
		fmt.Fprintf(h, "%q %q", q.Code, q.Message)
		for _, column := range q.Columns {
			fmt.Fprintf(h, " %d %q", column.Index, column.Field)
		}
		n.name += "-" + short(h.Sum(nil))
	}
	return n
}

// question is the notice of a job that waits for a person.
const question = "question"

// deliver sends one mail. Between the mail server's yes and our note of it lies the one gap in which a crash sends a mail
// twice, with the same message id.
func (s *Service) deliver(ctx context.Context, n notice, d delivery, text *letter) error {
	due, err := s.deliveries.begin(ctx, n, d.Recipient)
	if err != nil {
		return fmt.Errorf("note a mail before it is sent: %w", err)
	}
	if !due {
		return nil // whoever had this stage before has got it through since
	}
	err = s.sender.Send(ctx, mail.Message{ID: d.MessageID, To: d.Recipient, Subject: text.Subject, Text: text.Text, HTML: text.HTML})
	state, code := sent, ""
	switch {
	case err == nil:
	case fault.Of(err).Transient() && d.Age < giveUp:
		state, code = pending, fault.Code(err)
	case fault.Of(err).Transient():
		state, code, err = refused, "mail-gave-up", nil
	case errors.Is(err, fault.Invalid):
		s.tel.Log.Warn("mail refused for good", "job", n.job, "code", fault.Code(err))
		state, code, err = refused, fault.Code(err), nil
	default:
		return fmt.Errorf("send a mail: %w", err)
	}
	if noted := s.note(ctx, n, d.Recipient, state, code); noted != nil {
		return fmt.Errorf("note a mail that was handed over: %w", noted)
	}
	return err
}

// note notes how a mail fared, again and again while the database is away and the stage is ours: what is not noted is sent
// once more.
func (s *Service) note(ctx context.Context, n notice, recipient, state, code string) error {
	for {
		err := s.deliveries.end(context.WithoutCancel(ctx), n, recipient, state, code)
		if err == nil || !fault.Of(err).Transient() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(noteAgain):
		}
	}
}

// messageID is the same whenever the same thing is told to the same recipient, and tells nobody who that is.
func messageID(n notice, recipient string) string {
	h := sha256.Sum256([]byte(n.account.String() + "\n" + recipient))
	return fmt.Sprintf("%s.%s.%s", n.job, n.name, short(h[:]))
}

// short spells the beginning of a hash.
func short(hash []byte) string {
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:10]))
}
