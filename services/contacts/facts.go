package contacts

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// mostFacts is how many contacts are read, or written, at once: as many as a provider is asked about at once.
const mostFacts = 10_000

// factsEdge is FactsService over the contact database.
type factsEdge struct {
	contactsv1.UnimplementedFactsServiceServer
	contacts *contactdb.Contacts
}

func (e *factsEdge) ListUnenriched(ctx context.Context, req *contactsv1.ListUnenrichedRequest) (*contactsv1.ListUnenrichedResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	job, err := uuid.Parse(req.GetJobId())
	if err != nil {
		return nil, fault.New(fault.Invalid, "bad-job-id", "the id of a job is a UUID")
	}
	var after uuid.UUID
	if len(req.GetAfter()) > 0 {
		if after, err = toBytesID("after", req.GetAfter()); err != nil {
			return nil, err
		}
	}
	size := int(req.GetPageSize())
	if size < 1 || size > mostFacts {
		return nil, fault.New(fault.Invalid, "bad-page-size", "a page has 1 to %d contacts, not %d", mostFacts, size)
	}
	page, err := e.contacts.Unenriched(ctx, account, job, after, size)
	if err != nil {
		return nil, err
	}
	res := &contactsv1.ListUnenrichedResponse{Contacts: make([]*contactsv1.UnenrichedContact, len(page))}
	for i := range page {
		res.Contacts[i] = fromUnenriched(&page[i])
	}
	return res, nil
}

func fromUnenriched(u *contactdb.Unenriched) *contactsv1.UnenrichedContact {
	p := &contactsv1.UnenrichedContact{ContactId: u.ID[:], Phone: u.Phone, Email: u.Email}
	if u.Phone != "" {
		p.PhoneHash = u.PhoneHash[:]
	}
	if u.Email != "" {
		p.EmailHash = u.EmailHash[:]
	}
	return p
}

func (e *factsEdge) WriteFacts(ctx context.Context, req *contactsv1.WriteFactsRequest) (*contactsv1.WriteFactsResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(req.GetContacts()); n > mostFacts {
		return nil, fault.New(fault.Invalid, "bad-batch", "facts are written for at most %d contacts at once, not %d", mostFacts, n)
	}
	facts := make([]contactdb.FactsOf, len(req.GetContacts()))
	named := make(map[uuid.UUID]struct{}, len(facts))
	for i, p := range req.GetContacts() {
		f, err := toFactsOf(p)
		if err != nil {
			return nil, err
		}
		if _, twice := named[f.Contact]; twice {
			return nil, fault.New(fault.Invalid, "bad-facts", "contact %s is named twice", f.Contact)
		}
		named[f.Contact], facts[i] = struct{}{}, f
	}
	if len(facts) == 0 {
		return &contactsv1.WriteFactsResponse{}, nil
	}
	written, err := e.contacts.WriteFacts(ctx, account, facts)
	if err != nil {
		return nil, err
	}
	return &contactsv1.WriteFactsResponse{Written: written}, nil
}

func toFactsOf(p *contactsv1.ContactFacts) (f contactdb.FactsOf, err error) {
	if f.Contact, err = toBytesID("contact_id", p.GetContactId()); err != nil {
		return f, err
	}
	if f.Phone, err = toSaidOf("phone", p.GetPhoneHash(), p.GetPhoneFacts()); err != nil {
		return f, err
	}
	f.Email, err = toSaidOf("email", p.GetEmailHash(), p.GetEmailFacts())
	return f, err
}

// toSaidOf takes facts with the hash of what they are about, or neither.
func toSaidOf(about string, hash, facts []byte) (s contactdb.SaidOf, err error) {
	if len(hash) == 0 && len(facts) == 0 {
		return s, nil
	}
	if s.Hash, err = toBytesID(about+"_hash", hash); err != nil {
		return s, err
	}
	var said map[string]string
	if json.Unmarshal(facts, &said) != nil || said == nil {
		return s, fault.New(fault.Invalid, "bad-facts", "facts about the %s are an object of names and texts", about)
	}
	s.JSON = facts
	return s, nil
}

// toBytesID takes an id, or the hash of a value, of 16 bytes.
func toBytesID(field string, b []byte) (uuid.UUID, error) {
	id, err := uuid.FromBytes(b)
	if err != nil {
		return uuid.Nil, fault.New(fault.Invalid, "bad-id", "%s has 16 bytes, not %d", field, len(b))
	}
	return id, nil
}
