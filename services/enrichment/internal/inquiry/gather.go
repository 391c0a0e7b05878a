package inquiry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// asked is a row on its way.
type asked struct {
	row              int64
	phone, email     string
	ofPhone, ofEmail place
}

// Kinds of value, as the ledger numbers them.
const (
	phone int16 = 1
	email int16 = 2
)

// value is the keyed hash of a phone or an email.
type value = uuid.UUID

// place is where a value was answered: by a batch, at a position.
type place struct {
	batch string // one of the three below, or a batch's id
	at    int32
	stale bool // too long ago to be used again
}

const (
	nowhere = ""    // there is no value, or nobody is asked about it
	here    = "..." // in the batch that is being gathered
)

// gathering is a batch that is not sent yet.
type gathering struct {
	subjects []*providerv1.Subject
	values   []uuid.UUID
	kinds    []int16
	at       []int32
	before   []string // batches that answered for values too long ago
}

// look finds out which of the rows in the window have been answered for, and gathers the others into batches.
func (q *Inquiry) look(ctx context.Context) error {
	if len(q.window) == 0 {
		return nil
	}
	if err := q.begin(ctx); err != nil {
		if !q.without(err) {
			return err
		}
	}
	rows := q.window
	q.window = nil
	if len(q.waiting) == 0 {
		clear(q.known)
	}
	if err := q.recall(ctx, rows); err != nil {
		return err
	}
	for i := range rows {
		q.place(&rows[i])
		q.waiting = append(q.waiting, rows[i])
		if len(q.batch.subjects) >= q.most() || len(q.waiting) >= mostWaiting {
			if err := q.ask(ctx); err != nil {
				return err
			}
		}
	}
	if q.window = rows[:0]; len(q.batch.subjects) > 0 {
		return nil
	}
	return q.tell(ctx)
}

// most is how many subjects a batch has.
func (q *Inquiry) most() int {
	if q.about == nil {
		return batchSubjects
	}
	return min(batchSubjects, q.about.MaxBatch)
}

// paid tells whether each value is in the ledger: with a provider that costs nothing its batches are enough.
func (q *Inquiry) paid() bool { return q.about != nil && q.about.Paid() }

// hashes of a row's values; the zero one where it has none.
func (q *Inquiry) hashes(a *asked) (p, m value) {
	if a.phone != "" {
		p = q.desk.keys.Hash(q.order.Account, uint8(contact.Phone), []byte(a.phone))
	}
	if a.email != "" {
		m = q.desk.keys.Hash(q.order.Account, uint8(contact.Email), []byte(a.email))
	}
	return p, m
}

// recall looks up the values of rows.
func (q *Inquiry) recall(ctx context.Context, rows []asked) error {
	if !q.paid() {
		return nil
	}
	values := make([]uuid.UUID, 0, 2*len(rows))
	for i := range rows {
		p, m := q.hashes(&rows[i])
		for _, v := range [...]value{p, m} {
			if _, have := q.known[v]; v != uuid.Nil && !have {
				values = append(values, v)
			}
		}
	}
	return q.desk.ledger.recall(ctx, q.order.Account, q.about.Name, values, q.order.Since, q.known)
}

// place finds the place of a row's values, in the batch that is being gathered if they have none.
func (q *Inquiry) place(a *asked) {
	if q.down && !q.paid() {
		return
	}
	s := &providerv1.Subject{}
	at := int32(len(q.batch.subjects))
	if !q.paid() {
		s.Phone, s.Email = a.phone, a.email
		a.ofPhone, a.ofEmail = place{batch: here, at: at}, place{batch: here, at: at}
		q.batch.subjects = append(q.batch.subjects, s)
		return
	}
	p, m := q.hashes(a)
	if a.ofPhone = q.placeOf(p, phone, at); a.ofPhone == (place{batch: here, at: at}) {
		s.Phone = a.phone
	}
	if a.ofEmail = q.placeOf(m, email, at); a.ofEmail == (place{batch: here, at: at}) {
		s.Email = a.email
	}
	if s.Phone != "" || s.Email != "" {
		q.batch.subjects = append(q.batch.subjects, s)
	}
}

// placeOf is where a value was answered, else the position given in the batch that is being gathered.
func (q *Inquiry) placeOf(v value, kind int16, at int32) place {
	if v == uuid.Nil {
		return place{}
	}
	was, have := q.known[v]
	if have && !was.stale {
		return was
	}
	if q.down {
		return place{}
	}
	if have {
		q.batch.before = append(q.batch.before, was.batch)
	}
	p := place{batch: here, at: at}
	q.known[v] = p
	q.batch.values, q.batch.kinds, q.batch.at = append(q.batch.values, v), append(q.batch.kinds, kind), append(q.batch.at, at)
	return p
}

// triesToHold is how often an inquiry gathers a batch anew because others were faster with some of its values.
const triesToHold = 10

// ask sends the batch that was gathered, if there is anything in it, and tells all rows that wait.
func (q *Inquiry) ask(ctx context.Context) error {
	for try := 0; len(q.batch.subjects) > 0; try++ {
		id, err := q.send(ctx)
		if err == nil {
			q.answered(id)
			break
		}
		if errors.Is(err, errHeld) && try < triesToHold {
			if err = q.again(ctx); err == nil {
				continue
			}
		}
		if !q.without(err) {
			return err
		}
		q.answered(nowhere)
	}
	return q.tell(ctx)
}

// again gathers the rows that wait anew, once what others have asked is settled.
func (q *Inquiry) again(ctx context.Context) error {
	if err := q.settle(ctx, q.about); err != nil {
		return err
	}
	for _, v := range q.batch.values {
		delete(q.known, v)
	}
	q.batch = gathering{}
	if err := q.recall(ctx, q.waiting); err != nil {
		return err
	}
	for i := range q.waiting {
		q.place(&q.waiting[i])
	}
	return nil
}

// answered says which batch the one that was gathered has become; nowhere: it was not sent.
func (q *Inquiry) answered(id string) {
	put := func(p *place) {
		if p.batch == here {
			if p.batch = id; id == nowhere {
				p.at = 0
			}
		}
	}
	for i := range q.waiting {
		put(&q.waiting[i].ofPhone)
		put(&q.waiting[i].ofEmail)
	}
	for _, v := range q.batch.values {
		if id == nowhere {
			delete(q.known, v)
			continue
		}
		p := q.known[v]
		p.batch = id
		q.known[v] = p
	}
	q.batch = gathering{}
}

// send asks the provider about the batch that was gathered, unless its answer is in the ledger, and returns its id. errHeld: some
// of its values are another batch's by now.
func (q *Inquiry) send(ctx context.Context) (string, error) {
	b := &batch{account: q.order.Account, job: q.order.Job, provider: q.about.Name, id: q.id(), subjects: len(q.batch.subjects), currency: q.about.Currency}
	request := &providerv1.EnrichRequest{BatchId: b.id, Subjects: q.batch.subjects}
	if q.paid() {
		var err error
		b.price = q.about.Price
		if b.question, err = q.desk.seal(b, request); err != nil {
			return "", err
		}
		b.values, b.kinds, b.at, b.since = q.batch.values, q.batch.kinds, q.batch.at, q.order.Since
		b.rest = q.desk.settleAfter()
	}
	saved, err := q.desk.ledger.next(ctx, q.last, b)
	if err != nil {
		if _, open := errors.AsType[*Down](err); open && q.last != nil { // the answer before is worth keeping all the same
			err = errors.Join(err, q.save(ctx))
		}
		return "", err
	}
	q.last = nil
	if saved == nil {
		if saved, err = q.question(ctx, q.about, b, request); err != nil {
			return "", err
		}
		if q.last = (&answered{*b, saved, known(saved)}); q.paid() {
			if err := q.save(ctx); err != nil {
				return "", err
			}
		}
	}
	a, err := read(saved)
	if err != nil {
		return "", err
	}
	q.answers.put(b.id, a)
	return b.id, nil
}

// question asks the provider about a batch that is in the ledger. Whatever goes wrong is noted.
func (q *Inquiry) question(ctx context.Context, about *Description, b *batch, request *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	a, err := q.line.ask(ctx, request)
	if err == nil {
		err = check(a, request, max(about.Price, b.price))
	} else {
		err = discreet(err, request)
	}
	switch {
	case err == nil:
		return a, nil
	case fault.Of(err) == fault.Invalid:
		q.desk.log.WarnContext(ctx, "provider refuses a batch", "account", b.account, "provider", b.provider, "batch", b.id, "error", err)
		if err := q.desk.giveUp(ctx, b, request, "provider-refuses-batch"); err != nil {
			return nil, err
		}
		return nil, fault.Wrap(fault.Invalid, "provider-refuses-batch", err, "provider %s refuses a batch", b.provider)
	}
	q.line.hangUp()
	return nil, q.desk.failed(ctx, b.account, b.provider, fmt.Errorf("ask provider %s: %w", b.provider, err))
}

// save puts the last answer into the ledger.
func (q *Inquiry) save(ctx context.Context) error {
	if q.last == nil {
		return nil
	}
	if _, err := q.desk.ledger.next(ctx, q.last, nil); err != nil {
		return err
	}
	q.last = nil
	return nil
}

// batchName is the kind under which names of batches are hashed: no key of a contact has it.
const batchName = 0xb0

// id makes the same batch of the same questions, whichever job asks, and another one where an earlier answer is too old.
func (q *Inquiry) id() string {
	digest := sha256.New()
	put := func(s string) { // length first, so that no two batches read alike
		var n [binary.MaxVarintLen64]byte
		digest.Write(n[:binary.PutUvarint(n[:], uint64(len(s)))])
		io.WriteString(digest, s)
	}
	put(q.about.Name)
	for _, s := range q.batch.subjects {
		put(s.Phone)
		put(s.Email)
	}
	for _, b := range q.batch.before {
		put(b)
	}
	hash := q.desk.keys.Hash(q.order.Account, batchName, digest.Sum(nil))
	return hex.EncodeToString(hash[:])
}

// tell says of all rows that wait what was answered.
func (q *Inquiry) tell(ctx context.Context) error {
	for i := range q.waiting {
		a := &q.waiting[i]
		if !q.answers.has(a.ofPhone.batch) || !q.answers.has(a.ofEmail.batch) {
			if err := q.fetch(ctx, q.waiting[i:]); err != nil {
				return err
			}
		}
		p, m := q.answers.phone(a.ofPhone), q.answers.email(a.ofEmail)
		if a.phone == "" {
			p = nil
		}
		if a.email == "" {
			m = nil
		}
		switch {
		case p == nil && a.phone != "" || m == nil && a.email != "":
			q.later++
		default:
			q.sent++
			if len(p) > len(unknown) || len(m) > len(unknown) {
				q.met++
			}
		}
		if p == nil && m == nil {
			continue
		}
		if err := q.order.Say(a.row, p, m); err != nil {
			return err
		}
	}
	q.waiting = q.waiting[:0]
	return nil
}

// fetch gets the answers that the next rows need.
func (q *Inquiry) fetch(ctx context.Context, rows []asked) error {
	need := q.answers.missing(rows)
	found, err := q.desk.ledger.answers(ctx, q.order.Account, q.about.Name, need)
	if err != nil {
		return err
	}
	for _, id := range need {
		saved := found[id]
		if saved == nil {
			return fault.New(fault.Internal, "answer-missing", "the ledger has no answer to batch %s", id)
		}
		a, err := read(saved)
		if err != nil {
			return err
		}
		q.answers.put(id, a)
	}
	return nil
}

// without tells whether the order goes on although the provider does not answer.
func (q *Inquiry) without(err error) bool {
	down, ok := errors.AsType[*Down](err)
	if !ok || !q.order.GoOn || !down.forLong() {
		return false
	}
	q.down = true
	if q.about == nil {
		q.about = q.desk.last.Load() // what is in the ledger under its name is good all the same
	}
	return true
}
