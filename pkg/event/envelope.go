package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
)

// Envelope is one numbered event of an account, as watchers and outside subscribers see it.
type Envelope struct {
	Account   uuid.UUID
	Number    int64           // from 1, without gaps per account
	Type      string          // one of Types
	Job       uuid.UUID       // uuid.Nil for an event of no job
	JobNumber int64           // 0 for an event of no job
	Time      time.Time       // UTC
	Data      json.RawMessage // counts and reasons, never contact data; nil for none
}

// ContentType is the media type of Encode's result.
const ContentType = ce.ApplicationCloudEventsJSON

const (
	source     = "contactmill/ingest"
	typePrefix = "contactmill."
	typeSuffix = ".v1"

	// CloudEvents integers have 32 bits; these numbers have 64 and so travel as strings.
	extNumber    = "number"
	extJobNumber = "jobnumber"
)

// ID is the CloudEvents id, "<account>/<number>". It is also the Nats-Msg-Id.
func (e Envelope) ID() string { return e.Account.String() + "/" + strconv.FormatInt(e.Number, 10) }

// ParseID splits what ID made.
func ParseID(id string) (account uuid.UUID, number int64, err error) {
	a, n, ok := strings.Cut(id, "/")
	if !ok {
		return uuid.Nil, 0, errors.New("event id has no slash")
	}
	if account, err = uuid.Parse(a); err != nil || account == uuid.Nil || account.String() != a {
		return uuid.Nil, 0, errors.New("event id names no account")
	}
	if number, err = parseNumber(n); err != nil || number == 0 {
		return uuid.Nil, 0, errors.New("event id has no number")
	}
	return account, number, nil
}

// Encode returns the event in CloudEvents 1.0 structured JSON.
func (e Envelope) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID(), err)
	}
	c := ce.New()
	c.SetID(e.ID())
	c.SetSource(source)
	c.SetType(typePrefix + e.Type + typeSuffix)
	c.SetTime(e.Time.UTC())
	c.SetExtension(extNumber, strconv.FormatInt(e.Number, 10))
	if e.Job != uuid.Nil {
		c.SetSubject(e.Job.String())
		c.SetExtension(extJobNumber, strconv.FormatInt(e.JobNumber, 10))
	}
	if e.Data != nil {
		if err := c.SetData(ce.ApplicationJSON, e.Data); err != nil {
			return nil, fmt.Errorf("encode data of event %s: %w", e.ID(), err)
		}
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID(), err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID(), err)
	}
	return b, nil
}

// DecodeEnvelope reads what Encode wrote. An event of another source, type or version is an error. Errors do not quote the input.
func DecodeEnvelope(b []byte) (Envelope, error) {
	var c ce.Event
	if err := json.Unmarshal(b, &c); err != nil {
		return Envelope{}, errors.New("decode event: not a structured CloudEvent")
	}
	if c.SpecVersion() != ce.CloudEventsVersionV1 || c.Source() != source {
		return Envelope{}, errors.New("decode event: not one of ours")
	}
	account, number, err := ParseID(c.ID())
	if err != nil {
		return Envelope{}, fmt.Errorf("decode event: %w", err)
	}
	e := Envelope{Account: account, Number: number, Time: c.Time().UTC()}
	typ, ok1 := strings.CutPrefix(c.Type(), typePrefix)
	typ, ok2 := strings.CutSuffix(typ, typeSuffix)
	if !ok1 || !ok2 {
		return Envelope{}, fmt.Errorf("decode event %s: unknown type or version", e.ID())
	}
	e.Type = typ
	if n, err := extension(c, extNumber); err != nil || n != number {
		return Envelope{}, fmt.Errorf("decode event %s: number is not that of its id", e.ID())
	}
	if s := c.Subject(); s != "" {
		if e.Job, err = uuid.Parse(s); err != nil {
			return Envelope{}, fmt.Errorf("decode event %s: subject is no job id", e.ID())
		}
		if e.JobNumber, err = extension(c, extJobNumber); err != nil {
			return Envelope{}, fmt.Errorf("decode event %s: no job number", e.ID())
		}
	}
	if d := c.Data(); len(d) > 0 {
		e.Data = d
	}
	if err := e.check(); err != nil {
		return Envelope{}, fmt.Errorf("decode event %s: %w", e.ID(), err)
	}
	return e, nil
}

func (e Envelope) check() error {
	switch {
	case e.Account == uuid.Nil:
		return errors.New("no account")
	case e.Number < 1:
		return errors.New("number below 1")
	case !ValidType(e.Type):
		return errors.New("unknown type")
	case e.Job == uuid.Nil && e.JobNumber != 0, e.Job != uuid.Nil && e.JobNumber < 1:
		return errors.New("job and job number do not go together")
	case e.Time.IsZero():
		return errors.New("no time")
	case e.Data != nil && !json.Valid(e.Data):
		return errors.New("data is not JSON")
	}
	return nil
}

func extension(c ce.Event, name string) (int64, error) {
	s, ok := c.Extensions()[name].(string)
	if !ok {
		return 0, fmt.Errorf("no attribute %s", name)
	}
	return parseNumber(s)
}

// parseNumber takes only what FormatInt writes for numbers from 0.
func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, errors.New("not a number")
	}
	return n, nil
}
