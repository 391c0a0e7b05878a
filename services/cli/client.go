package cli

import (
	"cmp"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

// settings is what the command line takes from its environment. Where the services stand behind one address, as in
// one process or behind an ingress, ADDR is enough.
type settings struct {
	Addr          string        `env:"ADDR" envDefault:"127.0.0.1:7443"`
	ContactsAddr  string        `env:"CONTACTS_ADDR"`
	AccountsAddr  string        `env:"ACCOUNTS_ADDR"`
	ValidatorAddr string        `env:"VALIDATOR_ADDR"`
	LedgerAddr    string        `env:"ENRICHMENT_ADDR"`
	Key           config.Secret `env:"API_KEY"`
	TLS           rpc.TLS
}

// client is the services as the command line sees them.
type client struct {
	conns     map[string]*grpc.ClientConn
	uploads   ingestv1.UploadServiceClient
	jobs      ingestv1.JobsServiceClient
	events    ingestv1.EventsServiceClient
	contacts  contactsv1.ContactsServiceClient
	lists     contactsv1.ListsServiceClient
	accounts  accountsv1.AccountsServiceClient
	fields    accountsv1.FieldsServiceClient
	inspect   validatorv1.InspectServiceClient
	ledger    enrichmentv1.LedgerServiceClient
	inspector string // where inspect is to connect
}

// client connects when a command first needs it.
func (p *program) client() (*client, error) {
	if p.connected != nil {
		return p.connected, nil
	}
	s, err := config.Part[settings](p.environ)
	if err != nil {
		return nil, err
	}
	if p.addr != "" {
		s.Addr, s.ContactsAddr, s.AccountsAddr, s.ValidatorAddr, s.LedgerAddr = p.addr, "", "", "", ""
	}
	if s.Key == "" {
		return nil, fault.New(fault.Unauthenticated, "no-api-key", "there is no API key").Hint("set CONTACTMILL_API_KEY or CONTACTMILL_API_KEY_FILE; a server started by `make run` writes one to client.env in its state directory")
	}
	p.server = s.Addr
	c := &client{conns: map[string]*grpc.ClientConn{}}
	dial := func(addr string) (*grpc.ClientConn, error) {
		if addr == "" {
			addr = s.Addr
		}
		if conn, ok := c.conns[addr]; ok {
			return conn, nil
		}
		conn, err := rpc.Dial(addr, rpc.DialOptions{Key: s.Key, TLS: s.TLS})
		if err == nil {
			c.conns[addr] = conn
		}
		return conn, err
	}
	ingest, err := dial(s.Addr)
	if err != nil {
		return nil, err
	}
	contacts, err := dial(s.ContactsAddr)
	if err != nil {
		return nil, err
	}
	accounts, err := dial(s.AccountsAddr)
	if err != nil {
		return nil, err
	}
	validator, err := dial(s.ValidatorAddr)
	if err != nil {
		return nil, err
	}
	enrichment, err := dial(s.LedgerAddr)
	if err != nil {
		return nil, err
	}
	c.uploads, c.jobs, c.events = ingestv1.NewUploadServiceClient(ingest), ingestv1.NewJobsServiceClient(ingest), ingestv1.NewEventsServiceClient(ingest)
	c.contacts, c.lists = contactsv1.NewContactsServiceClient(contacts), contactsv1.NewListsServiceClient(contacts)
	c.accounts, c.fields = accountsv1.NewAccountsServiceClient(accounts), accountsv1.NewFieldsServiceClient(accounts)
	c.inspect, c.inspector = validatorv1.NewInspectServiceClient(validator), cmp.Or(s.ValidatorAddr, s.Addr)
	c.ledger = enrichmentv1.NewLedgerServiceClient(enrichment)
	p.connected = c
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // nothing is on its way any more
	}
}
