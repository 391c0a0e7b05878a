package ledger

import (
	"embed"

	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the schema `ingest`.
var Schema = postgres.Schema{Name: "ingest", FS: migrations}
