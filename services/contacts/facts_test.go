package contacts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// enricher is the service that asks providers.
type enricher struct {
	contactsv1.FactsServiceClient
	h   *house
	job uuid.UUID
}

// enriched has a job that made the contacts with these values, and returns their ids.
func (h *house) enriched(t *testing.T, all ...values) (*enricher, []string) {
	t.Helper()
	conn, err := rpc.Dial(h.addr, rpc.DialOptions{ServiceKey: serviceKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	e := &enricher{contactsv1.NewFactsServiceClient(conn), h, uuid.Must(uuid.NewV7())}
	var ids []string
	for _, v := range all {
		ids = append(ids, h.add(t, v).GetId())
	}
	h.made(t, e.job, ids[0], ids[len(ids)-1])
	err = h.database.Open(t, "merge", "contacts").InAccount(t.Context(), h.account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update contacts.contacts set created_job = $2, origins = null where account_id = $1 and contact_id = any ($3::uuid[])", h.account, e.job, ids)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, ids
}

// left is what is to be asked: phone and email of each contact.
func (e *enricher) left(t *testing.T, size int32) (all []string) {
	t.Helper()
	req := &contactsv1.ListUnenrichedRequest{JobId: e.job.String(), PageSize: size}
	for {
		res, err := e.ListUnenriched(rpc.WithAccount(t.Context(), e.h.account), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range res.GetContacts() {
			for _, v := range []struct {
				key  contact.Key
				text string
				hash []byte
			}{{contact.Phone, c.GetPhone(), c.GetPhoneHash()}, {contact.Email, c.GetEmail(), c.GetEmailHash()}} {
				want := []byte(nil)
				if v.text != "" {
					hash := e.h.ring.Hash(e.h.account, uint8(v.key), []byte(v.text))
					want = hash[:]
				}
				if !slices.Equal(v.hash, want) {
					t.Errorf("key %d has the hash %x, want %x", v.key, v.hash, want)
				}
			}
			all = append(all, strings.TrimSpace(c.GetPhone()+" "+c.GetEmail()))
			req.After = c.GetContactId()
		}
		if len(res.GetContacts()) == 0 {
			return all
		}
	}
}

// said is facts about a contact's values, which may be empty: then nothing is said of them.
func (e *enricher) said(id, phone, phoneFacts, email, emailFacts string) *contactsv1.ContactFacts {
	u := uuid.MustParse(id)
	f := &contactsv1.ContactFacts{ContactId: u[:]}
	if phone != "" {
		hash := e.h.ring.Hash(e.h.account, uint8(contact.Phone), []byte(phone))
		f.PhoneHash, f.PhoneFacts = hash[:], []byte(phoneFacts)
	}
	if email != "" {
		hash := e.h.ring.Hash(e.h.account, uint8(contact.Email), []byte(email))
		f.EmailHash, f.EmailFacts = hash[:], []byte(emailFacts)
	}
	return f
}

func (e *enricher) write(t *testing.T, account uuid.UUID, facts ...*contactsv1.ContactFacts) int64 {
	t.Helper()
	res, err := again(t, func() (*contactsv1.WriteFactsResponse, error) {
		return e.WriteFacts(rpc.WithAccount(t.Context(), account), &contactsv1.WriteFactsRequest{Contacts: facts})
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetWritten()
}

func (h *house) factsOf(t *testing.T, id string) (all []string) {
	t.Helper()
	res, err := h.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range res.GetContact().GetFacts() {
		all = append(all, fmt.Sprintf("%s %s=%s", f.GetAbout(), f.GetName(), f.GetValue()))
	}
	return all
}

const (
	phoneA, phoneB = "+12022243121", "+12022243122"
	mailA, mailB   = "ann@example.com", "bob@example.com"
)

func TestFactsAreWrittenLater(t *testing.T) {
	h := newHouse(t)
	e, ids := h.enriched(t, values{"phone": phoneA, "email": mailA}, values{"phone": phoneB}, values{"email": mailB}, values{"external_id": "7"})
	h.add(t, values{"phone": "202-224-3199"}) // no job's
	for _, size := range []int32{1, 2, 10_000} {
		if diff := cmp.Diff([]string{phoneA + " " + mailA, phoneB, mailB}, e.left(t, size)); diff != "" {
			t.Errorf("to be asked, in pages of %d (-want +got):\n%s", size, diff)
		}
	}
	before := in[string](h, h.account, "select contact_id::text || updated_at::text || coalesce(origins::text, '') from contacts.contacts order by 1")

	first := []*contactsv1.ContactFacts{e.said(ids[0], phoneA, `{"region":"DC"}`, "", ""), e.said(ids[1], phoneB, `{}`, "", "")}
	if n := e.write(t, h.account, first...); n != 2 {
		t.Errorf("facts of two contacts: %d were changed", n)
	}
	if n := e.write(t, h.account, first...); n != 0 {
		t.Errorf("the same facts again: %d contacts were changed", n)
	}
	if diff := cmp.Diff([]string{mailA, mailB}, e.left(t, 10)); diff != "" {
		t.Errorf("to be asked after that (-want +got):\n%s", diff)
	}
	if n := e.write(t, h.account, e.said(ids[0], "", "", mailA, `{"free":"no"}`), e.said(ids[2], "", "", mailB, `{"free":"yes"}`)); n != 2 {
		t.Errorf("facts about emails: %d contacts were changed", n)
	}
	if left := e.left(t, 10); len(left) > 0 {
		t.Errorf("still to be asked: %v", left)
	}
	for i, want := range [][]string{{"phone region=DC", "email free=no"}, nil, {"email free=yes"}, nil} {
		if diff := cmp.Diff(want, h.factsOf(t, ids[i])); diff != "" {
			t.Errorf("facts of contact %d (-want +got):\n%s", i, diff)
		}
	}
	after := in[string](h, h.account, "select contact_id::text || updated_at::text || coalesce(origins::text, '') from contacts.contacts order by 1")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("facts left a trace in contacts (-before +after):\n%s", diff)
	}
	if n := in[int64](h, h.account, "select count(*) from contacts.journal"); n[0] != 0 {
		t.Errorf("facts left %d lines in the journal", n[0])
	}
}

// What a person changed since is not the job's to ask about, and what was said of the old value is dropped.
func TestFactsAreBoundToTheValueAskedAbout(t *testing.T) {
	h := newHouse(t)
	e, ids := h.enriched(t, values{"phone": phoneA, "email": mailA}, values{"phone": phoneB})
	if _, err := h.set(t, ids[0], values{"phone": "202-224-3188"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{mailA, phoneB}, e.left(t, 10)); diff != "" {
		t.Errorf("to be asked (-want +got):\n%s", diff)
	}
	if n := e.write(t, h.account, e.said(ids[0], phoneA, `{"region":"DC"}`, mailA, `{"free":"no"}`)); n != 1 {
		t.Errorf("facts about an old phone and the email: %d contacts were changed", n)
	}
	if diff := cmp.Diff([]string{"email free=no"}, h.factsOf(t, ids[0])); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if n := e.write(t, h.account, e.said(uuid.NewString(), phoneA, `{"region":"DC"}`, "", ""), e.said(ids[1], phoneA, `{"region":"DC"}`, "", "")); n != 0 {
		t.Errorf("facts of nobody and about another's phone: %d contacts were changed", n)
	}
	other := h.admin()
	if n := e.write(t, other.account, e.said(ids[1], phoneB, `{"region":"DC"}`, "", "")); n != 0 {
		t.Errorf("facts from another account: %d contacts were changed", n)
	}
	res, err := e.ListUnenriched(rpc.WithAccount(t.Context(), other.account), &contactsv1.ListUnenrichedRequest{JobId: e.job.String(), PageSize: 10})
	if err != nil || len(res.GetContacts()) > 0 {
		t.Errorf("another account is told of %d contacts: %v", len(res.GetContacts()), err)
	}
}

func TestFactsMeetAMerge(t *testing.T) {
	h := newHouse(t)
	e, ids := h.enriched(t, values{"phone": phoneA})
	facts := e.said(ids[0], phoneA, `{"region":"DC"}`, "", "")
	h.merging(t, func(ctx context.Context) {
		_, err := e.WriteFacts(rpc.WithAccount(ctx, h.account), &contactsv1.WriteFactsRequest{Contacts: []*contactsv1.ContactFacts{facts}})
		wantFault(t, "write facts during a merge", err, fault.Aborted, "job-being-applied")
		if left := e.left(t, 1); len(left) != 1 {
			t.Errorf("during a merge there are %d contacts to be asked about, want 1", len(left))
		}
	})
	if n := e.write(t, h.account, facts); n != 1 {
		t.Errorf("after the merge: %d contacts were changed", n)
	}
}

func TestBadFactsAreRefused(t *testing.T) {
	h := newHouse(t)
	e, ids := h.enriched(t, values{"phone": phoneA})
	good := e.said(ids[0], phoneA, "{}", "", "")
	for what, facts := range map[string][]*contactsv1.ContactFacts{
		"a list":        {e.said(ids[0], phoneA, `["a"]`, "", "")},
		"null":          {e.said(ids[0], phoneA, `null`, "", "")},
		"no JSON":       {e.said(ids[0], phoneA, `{"a":`, "", "")},
		"nothing":       {e.said(ids[0], phoneA, ``, "", "")},
		"no hash":       {{ContactId: good.ContactId, PhoneFacts: []byte("{}")}},
		"a short hash":  {{ContactId: good.ContactId, EmailHash: []byte{1}, EmailFacts: []byte("{}")}},
		"a short id":    {{ContactId: []byte{1}}},
		"twice":         {good, good},
		"a nested fact": {e.said(ids[0], phoneA, `{"a":{"b":"c"}}`, "", "")},
		"too many":      make([]*contactsv1.ContactFacts, mostFacts+1),
	} {
		_, err := e.WriteFacts(rpc.WithAccount(t.Context(), h.account), &contactsv1.WriteFactsRequest{Contacts: facts})
		if fault.Of(err) != fault.Invalid {
			t.Errorf("facts that are %s: got %v, want them refused as invalid", what, err)
		}
	}
	for what, req := range map[string]*contactsv1.ListUnenrichedRequest{
		"no job":     {PageSize: 1},
		"no size":    {JobId: e.job.String()},
		"large size": {JobId: e.job.String(), PageSize: mostFacts + 1},
		"short id":   {JobId: e.job.String(), PageSize: 1, After: []byte{1}},
	} {
		if _, err := e.ListUnenriched(rpc.WithAccount(t.Context(), h.account), req); fault.Of(err) != fault.Invalid {
			t.Errorf("list with %s: got %v, want it refused as invalid", what, err)
		}
	}
	if _, err := contactsv1.NewFactsServiceClient(dialUser(t, h)).ListUnenriched(t.Context(), &contactsv1.ListUnenrichedRequest{JobId: e.job.String(), PageSize: 1}); fault.Of(err) != fault.Denied {
		t.Errorf("an admin lists: got %v, want it denied", err)
	}
}

// dialUser connects as the house's admin.
func dialUser(t *testing.T, h *house) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(h.addr, rpc.DialOptions{Key: config.Secret("cm_" + h.key.String())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
