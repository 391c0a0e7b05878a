package contacts

import (
	"context"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// listsEdge is ListsService over the contact database.
type listsEdge struct {
	contactsv1.UnimplementedListsServiceServer
	contacts *contactdb.Contacts
}

func (e *listsEdge) ListLists(ctx context.Context, _ *contactsv1.ListListsRequest) (*contactsv1.ListListsResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	lists, err := e.contacts.Lists(ctx, account)
	if err != nil {
		return nil, err
	}
	res := &contactsv1.ListListsResponse{}
	for _, l := range lists {
		res.Lists = append(res.Lists, fromList(l))
	}
	return res, nil
}

func (e *listsEdge) CreateList(ctx context.Context, req *contactsv1.CreateListRequest) (*contactsv1.CreateListResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	name, err := toListName(req.GetName())
	if err != nil {
		return nil, err
	}
	list, err := e.contacts.AddList(ctx, account, name)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CreateListResponse{List: fromList(list)}, nil
}
