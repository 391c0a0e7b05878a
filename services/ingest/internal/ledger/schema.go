package ledger

import (
	"embed"

	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed queries/*.sql across/*.sql
var statementFiles embed.FS

// Schema is the schema `ingest`.
var Schema = postgres.Schema{Name: "ingest", FS: migrations}

// statements see one account.
type statements struct {
	LockInstance     string
	Holds            string
	EnsureQueue      string
	LockQueue        string
	SaveQueue        string
	Clock            string
	Token            string
	LoadJob          string
	LoadRequest      string
	LoadStages       string
	FreezeFields     string
	FrozenFields     string
	ForgetFields     string
	Remember         string
	Recall           string
	LookUp           string
	ForgetOldest     string
	SaveSeen         string
	ForgetLongUnseen string
	ForgetSeen       string
	Usual            string
	Ahead            string
	Earlier          string
	FieldsOfJob      string
	InsertJob        string
	SaveJob          string
	InsertStage      string
	SaveStage        string
	InsertEvent      string
	GiveTurn         string
	OpenValidations  string
	Seen             string
	StartLife        string
	Supersede        string
	ForgetLives      string
	Results          string
	ViewJob          string
	ViewRequest      string
	ViewJobs         string
	Events           string
	EventsOfJob      string
	LastEvent        string
	AcceptUpload     string
	OpenUpload       string
	ResumeUpload     string
	SetMultipart     string
	SavePart         string
	FindUpload       string
	AbandonUpload    string
	ExpireUpload     string
	ForgetUpload     string
	TakeFile         string
	FileSwept        string
	TakeWork         string
	WorkSwept        string
	KnownUploads     string
	KnownJobs        string
	RelayLock        string
	MarkRung         string
	ToRing           string
	ToPublish        string
	Published        string
	RingAgain        string
}

// acrossStatements see every account, under the role ingest_all, and only read: whatever they find is then changed within
// its account. These are all there are.
type acrossStatements struct {
	ToRelay            string
	EndedLeases        string
	HeldByEarlierLives string
	RungLongAgo        string
	ExpiredUploads     string
	DueFiles           string
	DueWork            string
	UnusedFields       string
}
