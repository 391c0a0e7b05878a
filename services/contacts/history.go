package contacts

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// The kinds of origins, as the contract names them.
const (
	byJob  = "job"
	byHand = "hand"
)

func (e *contactsEdge) GetContactHistory(ctx context.Context, req *contactsv1.GetContactHistoryRequest) (*contactsv1.GetContactHistoryResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	id, err := toID(req.GetId())
	if err != nil {
		return nil, err
	}
	schema, err := e.schemas.of(ctx, account)
	if err != nil {
		return nil, err
	}
	h, err := e.contacts.History(ctx, account, id, schema)
	if err != nil {
		return nil, err
	}
	return fromHistory(h, schema), nil
}

// fromHistory shows a history by the names of its fields.
func fromHistory(h contactdb.History, schema *contact.Schema) *contactsv1.GetContactHistoryResponse {
	res := &contactsv1.GetContactHistoryResponse{}
	for _, v := range h.Values {
		res.Values = append(res.Values, &contactsv1.ValueOrigin{Field: schema.Name(v.Field), Value: v.Value, Origin: fromOrigin(v.Origin)})
	}
	for _, c := range h.Changes {
		change := &contactsv1.ContactChange{What: string(c.What), Origin: fromOrigin(c.Origin), UndoOf: c.UndoOf}
		for _, v := range c.Values {
			change.Values = append(change.Values, &contactsv1.ValueChange{Field: schema.Name(v.Field), Before: v.Before, After: v.After})
		}
		res.Changes = append(res.Changes, change)
	}
	return res
}

// fromOrigin shows who gave a value. What is not known of it is left out.
func fromOrigin(o contactdb.Origin) *contactsv1.Origin {
	p := &contactsv1.Origin{Kind: byHand, JobNumber: o.Number, Line: o.Line}
	if o.Job.Valid || o.Number > 0 {
		p.Kind = byJob
	}
	if o.Job.Valid {
		p.JobId = o.Job.UUID.String()
	}
	if o.By.Valid {
		p.By = o.By.UUID.String()
	}
	if !o.At.IsZero() {
		p.At = timestamppb.New(o.At)
	}
	return p
}
