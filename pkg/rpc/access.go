package rpc

import "strings"

// Permission is who may call a method: a set of roles.
type Permission uint8

const (
	public     Permission = 1 << iota // anybody, without a credential
	admins                            // of the account
	operators                         // across accounts
	services                          // our own
	justSubmit                        // submitters alone; see submitters

	submitters = justSubmit | admins // an admin may whatever a submitter may
)

// has tells whether a role is in the set.
func (p Permission) has(r Role) bool {
	switch r {
	case Submitter:
		return p&justSubmit != 0
	case Admin:
		return p&admins != 0
	case Operator:
		return p&operators != 0
	case Service:
		return p&services != 0
	}
	return false
}

// access is who may call what. A method that is not here may be called by nobody.
var access = map[string]Permission{
	"/contactmill.accounts.v1.AccountsService/CreateAccount": operators,
	"/contactmill.accounts.v1.AccountsService/GetAccount":    submitters | operators | services,
	"/contactmill.accounts.v1.AccountsService/ListAccounts":  operators,
	"/contactmill.accounts.v1.AccountsService/UpdateAccount": admins | operators,
	"/contactmill.accounts.v1.AccountsService/CreateKey":     admins | operators,
	"/contactmill.accounts.v1.AccountsService/ListKeys":      admins | operators,
	"/contactmill.accounts.v1.AccountsService/RevokeKey":     admins | operators,
	"/contactmill.accounts.v1.AccountsService/GetTemplate":   submitters | operators,
	"/contactmill.accounts.v1.AuthService/Authenticate":      services,

	"/contactmill.accounts.v1.FieldsService/ListFields":  submitters | services,
	"/contactmill.accounts.v1.FieldsService/CreateField": admins,
	"/contactmill.accounts.v1.FieldsService/UpdateField": admins,
	"/contactmill.accounts.v1.FieldsService/DeleteField": admins,
	"/contactmill.accounts.v1.FieldsService/SetCodes":    admins,
	"/contactmill.accounts.v1.FieldsService/GetCodeBook": submitters,

	"/contactmill.validator.v1.InspectService/Inspect": submitters,

	"/contactmill.ingest.v1.UploadService/Upload":       submitters,
	"/contactmill.ingest.v1.UploadService/GetUpload":    submitters,
	"/contactmill.ingest.v1.JobsService/ListJobs":       submitters,
	"/contactmill.ingest.v1.JobsService/GetJob":         submitters | services,
	"/contactmill.ingest.v1.JobsService/CancelJob":      submitters,
	"/contactmill.ingest.v1.JobsService/RetryJob":       submitters,
	"/contactmill.ingest.v1.JobsService/UndoJob":        admins,
	"/contactmill.ingest.v1.JobsService/AnswerJob":      submitters,
	"/contactmill.ingest.v1.JobsService/ForecastJob":    submitters,
	"/contactmill.ingest.v1.JobsService/ApproveJob":     admins, // it is the account's word
	"/contactmill.ingest.v1.JobsService/RejectJob":      admins,
	"/contactmill.ingest.v1.JobsService/DownloadReport": submitters | services,
	"/contactmill.ingest.v1.JobsService/GetMapping":     submitters | services,
	"/contactmill.ingest.v1.EventsService/WatchEvents":  submitters,
	"/contactmill.ingest.v1.WorkService/StartInstance":  services,
	"/contactmill.ingest.v1.WorkService/Claim":          services,
	"/contactmill.ingest.v1.WorkService/Renew":          services,
	"/contactmill.ingest.v1.WorkService/Finish":         services,
	"/contactmill.ingest.v1.WorkService/Release":        services,
	"/contactmill.ingest.v1.WorkService/RecallMapping":  services,
	"/contactmill.ingest.v1.WorkService/RecallJob":      services,
	"/contactmill.ingest.v1.WorkService/LeaveToCommit":  services,

	"/contactmill.contacts.v1.ContactsService/ListContacts":      admins,
	"/contactmill.contacts.v1.ContactsService/CountContacts":     admins,
	"/contactmill.contacts.v1.ContactsService/GetContact":        admins,
	"/contactmill.contacts.v1.ContactsService/AddContact":        admins,
	"/contactmill.contacts.v1.ContactsService/SetContact":        admins,
	"/contactmill.contacts.v1.ContactsService/GetContactHistory": admins,
	"/contactmill.contacts.v1.ListsService/ListLists":            submitters,
	"/contactmill.contacts.v1.ListsService/CreateList":           admins,
	"/contactmill.contacts.v1.MatchService/Match":                services,
	"/contactmill.contacts.v1.FactsService/ListUnenriched":       services,
	"/contactmill.contacts.v1.FactsService/WriteFacts":           services,

	"/contactmill.enrichment.v1.LedgerService/SumBatches":  admins, // what is paid is not everybody's business
	"/contactmill.enrichment.v1.LedgerService/ListBatches": admins,

	"/contactmill.provider.v1.ProviderService/Describe": services,
	"/contactmill.provider.v1.ProviderService/Enrich":   services,
}

// again is which unary methods a client may send once more when no answer came: those that only read, and those whose
// contract says that the same request has the same effect.
var again = []string{
	"/contactmill.accounts.v1.AccountsService/GetAccount",
	"/contactmill.accounts.v1.AccountsService/ListAccounts",
	"/contactmill.accounts.v1.AccountsService/ListKeys",
	"/contactmill.accounts.v1.AccountsService/RevokeKey",
	"/contactmill.accounts.v1.AccountsService/GetTemplate",
	"/contactmill.accounts.v1.FieldsService/ListFields",
	"/contactmill.accounts.v1.FieldsService/GetCodeBook",
	"/contactmill.accounts.v1.AuthService/Authenticate",
	"/contactmill.ingest.v1.UploadService/GetUpload",
	"/contactmill.ingest.v1.JobsService/ListJobs",
	"/contactmill.ingest.v1.JobsService/GetJob",
	"/contactmill.ingest.v1.JobsService/CancelJob",
	"/contactmill.ingest.v1.JobsService/ApproveJob",
	"/contactmill.ingest.v1.JobsService/RejectJob",
	"/contactmill.ingest.v1.JobsService/GetMapping",
	"/contactmill.ingest.v1.WorkService/StartInstance",
	"/contactmill.ingest.v1.WorkService/Renew",
	"/contactmill.ingest.v1.WorkService/Finish",
	"/contactmill.ingest.v1.WorkService/RecallMapping",
	"/contactmill.ingest.v1.WorkService/RecallJob",
	"/contactmill.ingest.v1.WorkService/LeaveToCommit",
	"/contactmill.contacts.v1.ContactsService/ListContacts",
	"/contactmill.contacts.v1.ContactsService/CountContacts",
	"/contactmill.contacts.v1.ContactsService/GetContact",
	"/contactmill.contacts.v1.ContactsService/GetContactHistory",
	"/contactmill.contacts.v1.FactsService/ListUnenriched",
	"/contactmill.contacts.v1.FactsService/WriteFacts",
	"/contactmill.contacts.v1.ListsService/ListLists",
	"/contactmill.enrichment.v1.LedgerService/SumBatches",
	"/contactmill.provider.v1.ProviderService/Describe",
}

// permission of a method. Health is public, as its callers are kubelets and balancers; so is reflection, which is
// registered only where it is wanted.
func permission(method string) Permission {
	if infrastructure(method) {
		return public
	}
	return access[method]
}

func infrastructure(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.v1.Health/") || strings.HasPrefix(method, "/grpc.reflection.v1")
}
